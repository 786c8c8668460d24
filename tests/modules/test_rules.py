"""The rules of modules: switched, set, and never without what they work with."""

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.kernel import decide
from domain.modules import (
    ConfigureModule,
    DisableModule,
    EnableModule,
    ModuleConfigured,
    ModuleDisabled,
    ModuleEnabled,
    ModuleName,
    Modules,
)
from tests.kernel import given, history_of

IMPORTS, INVOICING = ModuleName("imports"), ModuleName("invoicing")
ENABLE = EnableModule(module=IMPORTS, version=1, needs={INVOICING: True})
DISABLE = DisableModule(module=IMPORTS)
DISABLE_NEEDED = DisableModule(module=INVOICING, needed_by={IMPORTS: True})
enabled = ModuleEnabled(module=IMPORTS, version=1)
disabled = ModuleDisabled(module=IMPORTS)
invoicing_disabled = ModuleDisabled(module=INVOICING)


def test_a_module_is_switched_off_and_on() -> None:
    given().when(DISABLE).then(disabled)
    given(disabled).when(ENABLE).then(enabled)


def test_what_is_so_already_stays_quiet() -> None:
    given().when(ENABLE).then_nothing()
    given(disabled).when(DISABLE).then_nothing()
    given(disabled, enabled).when(ENABLE).then_nothing()


def test_a_module_that_is_off_from_the_start_is_switched_on() -> None:
    given().when(replace(ENABLE, from_start=False)).then(enabled)
    given().when(replace(DISABLE, from_start=False)).then_nothing()


def test_a_module_is_not_switched_off_under_another_that_works_with_it() -> None:
    given().when(DISABLE_NEEDED).then_refused("modules.needed")
    given(disabled).when(DISABLE_NEEDED).then(invoicing_disabled)


def test_a_module_is_not_switched_on_without_what_it_works_with() -> None:
    given(disabled, invoicing_disabled).when(ENABLE).then_refused("modules.needs_others")


def test_settings_change_one_by_one_and_go_back_by_null() -> None:
    first = ConfigureModule(module=INVOICING, version=1, settings={"series": ["A"]})
    more = ConfigureModule(module=INVOICING, version=1, settings={"currencies": ["EUR"]})
    back = ConfigureModule(module=INVOICING, version=1, settings={"series": None})
    history = history_of([first, more, back])
    assert history[1] == ModuleConfigured(
        module=INVOICING, version=1, settings={"currencies": ["EUR"]}
    )
    assert Modules.own().fold(history).settings == {INVOICING: {"currencies": ["EUR"]}}


def test_the_same_settings_again_stay_quiet() -> None:
    command = ConfigureModule(module=INVOICING, settings={"series": ["A"]})
    (configured,) = decide(command, [])
    given(configured).when(command).then_nothing()
    given().when(replace(command, settings={"series": None})).then_nothing()


@settings(max_examples=50)
@for_all(
    st.lists(
        st.sampled_from([ENABLE, DISABLE, DISABLE_NEEDED, EnableModule(module=INVOICING)]),
        max_size=12,
    )
)
def test_a_module_is_never_on_without_what_it_works_with(
    sequence: list[EnableModule | DisableModule],
) -> None:
    modules = Modules.own().fold(history_of(sequence))
    if modules.is_on(IMPORTS, from_start=True):
        assert modules.is_on(INVOICING, from_start=True)
