"""Sector templates: which of them, in which version, a company has taken over.

A template is a list of ordinary commands, which are in the log as any other. What is noted here
only tells the next version what is new in it.
"""

from collections.abc import Iterator
from typing import Annotated, NewType

from msgspec import Meta

from domain.kernel import Boundary, Command, Event, Key, State

TemplateName = NewType("TemplateName", str)
NameText = Annotated[
    TemplateName, Meta(pattern=r"^[a-z][a-z_]{0,39}$(?!\n)", description="Such as `shop`.")
]


class SectorTemplateApplied(Event):
    """The commands of this version were run, but for what the company had decided otherwise."""

    template: Key[TemplateName]
    version: int


class AppliedTemplate(State):
    version: int = 0

    def evolve(self, event: SectorTemplateApplied) -> "AppliedTemplate":
        return AppliedTemplate(version=event.version)


class NoteSectorTemplate(Command):
    """Note the version of a template whose commands were run with this one."""

    template: NameText
    version: Annotated[int, Meta(ge=1)]

    def boundary(self) -> tuple[Boundary[AppliedTemplate]]:
        return (AppliedTemplate.at(template=self.template),)

    def decide(self, applied: AppliedTemplate) -> Iterator[SectorTemplateApplied]:
        if self.version > applied.version:
            yield SectorTemplateApplied(template=self.template, version=self.version)
