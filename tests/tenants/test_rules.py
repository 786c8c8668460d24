"""The rules of tenants."""

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from domain.ids import TenantId
from domain.kernel import decide
from domain.tenants import CURRENCIES, CreateTenant, Slug, Tenant, TenantCreated
from tests.kernel import given, history_of

ACME, OTHER, SLUG = TenantId("t1"), TenantId("t2"), Slug("acme")
created = TenantCreated(tenant=ACME, slug=SLUG, name="Acme, S.L.", country="ES")


def test_the_books_of_a_company_are_opened() -> None:
    given().when(CreateTenant(tenant=ACME, slug=SLUG, name="Acme, S.L.", country="ES")).then(
        created
    )


def test_a_short_name_belongs_to_one_company() -> None:
    given(created).when(
        CreateTenant(tenant=OTHER, slug=SLUG, name="Acme Corp.", country="EC")
    ).then_refused("tenants.slug_taken")


def test_another_short_name_is_free() -> None:
    given(created).when(
        CreateTenant(tenant=OTHER, slug=Slug("acme-ec"), name="Acme", country="EC")
    ).then(TenantCreated(tenant=OTHER, slug=Slug("acme-ec"), name="Acme", country="EC"))


def test_a_company_keeps_its_books_in_the_currency_of_its_country() -> None:
    known = Tenant.at(tenant=ACME).fold([created])
    assert (known.slug, CURRENCIES[known.country]) == (SLUG, "EUR")


commands = st.builds(
    CreateTenant,
    tenant=st.sampled_from([TenantId(f"t{n}") for n in range(9)]),
    slug=st.sampled_from([Slug("acme"), Slug("bolts"), Slug("nuts")]),
    name=st.just("Any"),
    country=st.sampled_from(["ES", "EC"]),
)


@settings(max_examples=30)
@for_all(st.lists(commands, max_size=9))
def test_no_two_companies_share_a_short_name(sequence: list[CreateTenant]) -> None:
    slugs = [event.slug for event in history_of(sequence) if isinstance(event, TenantCreated)]
    assert sorted(slugs) == sorted({command.slug for command in sequence})


def test_the_order_of_other_companies_does_not_matter() -> None:
    command = CreateTenant(tenant=OTHER, slug=Slug("new"), name="New", country="ES")
    assert decide(command, [created]) == decide(command, [])
