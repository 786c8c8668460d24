"""What an administrator did to a log is found, named, and found at its first position."""

import pytest

from adapters.audit.recipe import Links, Record, led
from domain.ids import TenantId
from tests.audit.conftest import EVENTS, Books

TENANT = TenantId("00000000-0000-0000-0000-000000000000")
DOCUMENTED = "bf9bc17c0ccc633493b73623ac58e856a956867850f562cbb6ece5243eba99c6"
AT_5 = "WHERE tenant_id = %(tenant)s AND position = 5"
SHIFT = "UPDATE event SET position = position + {} WHERE tenant_id = %(tenant)s AND position {}"
SWAP = """
UPDATE event SET position = CASE position WHEN {a} THEN {b} ELSE {a} END + 1000
WHERE tenant_id = %(tenant)s AND position IN ({a}, {b})
"""
SWAP_CONTENTS = """
UPDATE event AS e SET data = o.data, tags = o.tags, type = o.type, actor = o.actor,
       correlation_id = o.correlation_id, causation_id = o.causation_id,
       recorded_at = o.recorded_at
FROM event AS o WHERE e.tenant_id = %(tenant)s AND o.tenant_id = %(tenant)s
  AND (e.position, o.position) IN (({a}, {b}), ({b}, {a}))
"""
COPY_5 = """
INSERT INTO event SELECT tenant_id, {}, type, tags, data || ' ', recorded_at, actor,
       correlation_id, causation_id, hash FROM event
WHERE tenant_id = %(tenant)s AND position = 6
"""
DELETE_5 = f"DELETE FROM event {AT_5}"
BACK = SHIFT.format(-1000, ">= 1000")
EVERY_TAG_OF_5 = "DELETE FROM event_tag WHERE tenant_id = %(tenant)s AND position = 5"

CHANGES = {
    "data": "data = replace(data, '5', '6')",
    "type": "type = 'ThingFaked'",
    "tags": "tags = tags || 'thing:99'::text",
    "order of tags": "tags = ARRAY[tags[2], tags[1]]",
    "actor": "actor = 'user:2'",
    "correlation": "correlation_id = ''",
    "causation": "causation_id = '1'",
    "time": "recorded_at = recorded_at + interval '1 microsecond'",
    "hash": "hash = sha256(hash)",
    "white space": "data = data || ' '",
}
GARBAGE = {
    "an infinite time": "recorded_at = 'infinity'",
    "a time before all time": "recorded_at = '-infinity'",
    "a short hash": "hash = '\\x00'",
    "no hash": "hash = ''",
    "a tag that is none": "tags = tags || NULL::text",
    "an empty tag": "tags = ARRAY['']",
    "two tags in one": "tags = ARRAY[array_to_string(tags, chr(31))]",
    "tags in two dimensions": "tags = ARRAY[tags]",
    "tags that count from 0": "tags = ('[0:1]=' || tags::text)::text[]",
}
MISSING = ("data", "hash", "recorded_at", "tags", "actor", "type")


def test_the_documented_example_has_the_documented_hash() -> None:
    time, tags = b"1767225600000000", b"note:1\x1fnote:2"
    content = led(b"1", b"Noted", tags, time, b"user:1", b"c", b"", b'{"note":"1"}')
    noted = Record(position=1, tag_count=2, hash=b"", content=content)
    assert Links(TENANT).link(bytes(32), noted).hex() == DOCUMENTED


def test_what_was_appended_verifies(books: Books) -> None:
    found = books.verify()
    assert (found.ok, found.events, found.first_bad, found.problem) == (True, EVENTS, None, None)
    assert len(bytes.fromhex(found.head)) == 32


def test_a_log_without_events_verifies(books: Books) -> None:
    books.tamper(
        "DELETE FROM event WHERE tenant_id = %(tenant)s",
        "DELETE FROM event_tag WHERE tenant_id = %(tenant)s",
        "DELETE FROM log_head WHERE tenant_id = %(tenant)s",
    )
    assert books.verify().ok


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_event_is_named(books: Books, change: str) -> None:
    books.tamper(f"UPDATE event SET {change} {AT_5}")
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, 5, "changed")


@pytest.mark.parametrize("change", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_named_and_breaks_nothing(books: Books, change: str) -> None:
    books.tamper(f"UPDATE event SET {change} {AT_5}")
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, 5, "unfit")


@pytest.mark.parametrize("column", MISSING)
def test_a_field_that_was_emptied_is_named(books: Books, column: str) -> None:
    not_null = f"ALTER TABLE event ALTER COLUMN {column}"
    books.tamper(f"{not_null} DROP NOT NULL", f"UPDATE event SET {column} = NULL {AT_5}")
    try:
        found = books.verify()
    finally:
        books.tamper(DELETE_5, f"{not_null} SET NOT NULL")
    assert (found.ok, found.first_bad, found.problem) == (False, 5, "unfit")


@pytest.mark.parametrize(("one", "other"), [(5, 6), (5, 9), (1, 12)])
@pytest.mark.parametrize("whole", [True, False], ids=["with their hashes", "without"])
def test_two_events_in_each_others_place_are_named(
    books: Books, one: int, other: int, *, whole: bool
) -> None:
    if whole:
        books.tamper(SWAP.format(a=one, b=other), BACK)
    else:
        books.tamper(SWAP_CONTENTS.format(a=one, b=other))
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, one, "swapped")
    assert str(other) in (found.reason or "")


def test_an_event_that_was_slipped_in_is_named(books: Books) -> None:
    books.tamper(SHIFT.format(1001, ">= 5"), BACK, COPY_5.format(5))
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, 5, "inserted")


def test_an_event_that_was_slipped_in_with_its_own_hash_is_named(books: Books) -> None:
    forged = """
    UPDATE event AS e SET hash = sha256(p.hash || convert_to(concat(
        '36:', e.tenant_id, octet_length(e.position::text), ':', e.position,
        octet_length(e.type), ':', e.type,
        octet_length(array_to_string(e.tags, chr(31))), ':', array_to_string(e.tags, chr(31)),
        '16:', (extract(epoch FROM e.recorded_at) * 1000000)::bigint,
        octet_length(e.actor), ':', e.actor,
        octet_length(e.correlation_id), ':', e.correlation_id,
        octet_length(e.causation_id), ':', e.causation_id,
        octet_length(e.data), ':', e.data), 'UTF8'))
    FROM event AS p
    WHERE e.tenant_id = %(tenant)s AND p.tenant_id = %(tenant)s
      AND e.position = 5 AND p.position = 4
    """
    books.tamper(SHIFT.format(1001, ">= 5"), BACK, COPY_5.format(5), forged)
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, 5, "inserted")


def test_an_event_behind_the_head_is_named(books: Books) -> None:
    books.tamper(COPY_5.format(EVENTS + 1))
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, EVENTS + 1, "changed")


def test_an_event_that_was_taken_out_is_named(books: Books) -> None:
    books.tamper(DELETE_5)
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, 5, "removed")


def test_an_event_that_was_taken_out_and_the_gap_closed_is_named(books: Books) -> None:
    books.tamper(DELETE_5, SHIFT.format(999, "> 5"), BACK)
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, 5, "removed")


def test_a_log_that_was_cut_off_is_named(books: Books) -> None:
    books.tamper("DELETE FROM event WHERE tenant_id = %(tenant)s AND position > 8")
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, 9, "truncated")


def test_a_head_without_its_log_is_named(books: Books) -> None:
    books.tamper("DELETE FROM event WHERE tenant_id = %(tenant)s")
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, 1, "truncated")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE log_head SET hash = sha256(hash) WHERE tenant_id = %(tenant)s",
        "UPDATE log_head SET hash = '' WHERE tenant_id = %(tenant)s",
        "UPDATE log_head SET position = 8 WHERE tenant_id = %(tenant)s",
        "DELETE FROM log_head WHERE tenant_id = %(tenant)s",
    ],
)
def test_a_forged_or_missing_head_is_named(books: Books, change: str) -> None:
    books.tamper(change)
    found = books.verify()
    assert (found.ok, found.problem) == (False, "head")
    assert found.first_bad in {9, EVENTS}


@pytest.mark.parametrize(
    "change",
    [
        EVERY_TAG_OF_5,
        "UPDATE event_tag SET tag = 'thing:77' WHERE tenant_id = %(tenant)s AND tag = 'thing:5'",
        "UPDATE event_tag SET type = 'ThingFaked' WHERE tenant_id = %(tenant)s AND tag = 'thing:5'",
        "INSERT INTO event_tag VALUES (%(tenant)s, 'thing:78', 'ThingHappened', 5)",
        "UPDATE event_tag SET position = 5 WHERE tenant_id = %(tenant)s AND tag = 'thing:7'",
    ],
)
def test_an_index_of_tags_that_disagrees_is_named(books: Books, change: str) -> None:
    books.tamper(change)
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, 5, "index")
