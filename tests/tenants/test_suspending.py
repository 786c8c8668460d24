"""A company is suspended and resumed, and may be called something else."""

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.ids import TenantId
from domain.kernel import Command
from domain.tenants import (
    CloseTenant,
    CreateTenant,
    RenameTenant,
    ReopenTenant,
    ResumeTenant,
    Slug,
    SlugClaim,
    SuspendTenant,
    Suspensions,
    Tenant,
    TenantClosed,
    TenantCreated,
    TenantLocked,
    TenantRenamed,
    TenantResumed,
    TenantSuspended,
)
from tests.kernel import given, history_of

ACME = TenantId("00000000-0000-7000-8000-000000000001")
OTHER = TenantId("00000000-0000-7000-8000-000000000002")
UNPAID = "The fee is not paid."
created = TenantCreated(tenant=ACME, slug=Slug("acme"), name="Acme", country="ES")
suspended = TenantSuspended(tenant=ACME, reason=UNPAID)
resumed = TenantResumed(tenant=ACME)

SUSPEND, RESUME = SuspendTenant(tenant=ACME, reason=UNPAID), ResumeTenant(tenant=ACME)


def test_a_company_is_suspended_and_resumed() -> None:
    given(created).when(SUSPEND).then(suspended)
    given(created, suspended).when(RESUME).then(resumed)


def test_suspended_for_the_same_reason_stays_quiet() -> None:
    given(created, suspended).when(SUSPEND).then_nothing()
    given(created).when(RESUME).then_nothing()


def test_a_suspended_company_is_suspended_for_another_reason() -> None:
    asked = SuspendTenant(tenant=ACME, reason="By order of a court.")
    given(created, suspended).when(asked).then(
        TenantSuspended(tenant=ACME, reason="By order of a court.")
    )


def test_a_company_that_never_was_can_not_be_suspended_resumed_or_renamed() -> None:
    for command in (SUSPEND, RESUME, RenameTenant(tenant=ACME, name="New")):
        given().when(command).then_refused("tenants.no_books")


def test_a_suspended_company_is_closed_as_any() -> None:
    given(created, suspended).when(CloseTenant(tenant=ACME)).then(
        TenantClosed(tenant=ACME), TenantLocked(tenant=ACME)
    )


def test_a_company_is_renamed_and_keeps_its_short_name() -> None:
    renamed = TenantRenamed(tenant=ACME, slug=Slug("acme"), name="Acme e Hijos")
    ask = RenameTenant(tenant=ACME, name="Acme e Hijos")
    given(created).when(ask).then(renamed)
    given(created, renamed).when(ask).then_nothing()
    assert SlugClaim.at(slug="acme").fold([created, renamed]).name == "Acme e Hijos"


def test_its_short_name_is_refused_under_its_name_of_today() -> None:
    renamed = TenantRenamed(tenant=ACME, slug=Slug("acme"), name="Acme e Hijos")
    taken = CreateTenant(tenant=OTHER, slug=Slug("acme"), name="Other", country="EC")
    given(created, renamed).when(taken).then_refused("tenants.slug_taken")


commands = st.sampled_from(
    [
        command
        for tenant in (ACME, OTHER)
        for command in (
            SuspendTenant(tenant=tenant, reason=UNPAID),
            ResumeTenant(tenant=tenant),
            CloseTenant(tenant=tenant),
            ReopenTenant(tenant=tenant),
        )
    ]
)


@settings(max_examples=30)
@for_all(st.lists(commands, max_size=9))
def test_one_look_tells_who_is_suspended_and_who_is_locked(sequence: list[Command]) -> None:
    opened = [
        CreateTenant(tenant=tenant, slug=Slug(slug), name="Any", country="ES")
        for tenant, slug in ((ACME, "acme"), (OTHER, "other"))
    ]
    history = history_of([*opened, *sequence])
    found = Suspensions.of_all().fold(history)
    for tenant in (ACME, OTHER):
        known = Tenant.at(tenant=tenant).fold(history)
        assert found.reasons.get(tenant) == known.suspended
        assert (tenant in found.locked) == known.locked == (known.books == "closed")
