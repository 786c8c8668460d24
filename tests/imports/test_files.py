"""Files as people have them: what can be read is read, what can't be says file and line."""

import codecs
import gzip
from pathlib import Path

import pytest

from application.imports.files import BROKEN, CELL_CHARACTERS_MAX, PROBE_BYTES, RowFile
from domain.imports.columns import GivenMapping
from domain.kernel import Refused

HEADER = "number,date,quantity,unit_price\n"
ROW = "A-1,2026-05-01,3,1.50\n"
READ = [(1, ["number", "date", "quantity", "unit_price"]), (2, ["A-1", "2026-05-01", "3", "1.50"])]
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
Rows = list[tuple[int, list[str]]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stored"


def rows(path: Path, content: bytes, delimiter: str = ",", after: int = 0) -> Rows:
    path.write_bytes(content)
    return list(RowFile(path, "may.csv").rows(delimiter, after))


def refusal(path: Path, content: bytes) -> Refused:
    with pytest.raises(Refused) as refused:
        rows(path, content)
    return refused.value


def test_a_plain_file_is_read(path: Path) -> None:
    assert rows(path, (HEADER + ROW).encode()) == READ


def test_a_gzip_file_is_read_as_it_is(path: Path) -> None:
    assert rows(path, gzip.compress((HEADER + ROW).encode())) == READ


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_every_newline_ends_a_line(path: Path, newline: str) -> None:
    assert rows(path, (HEADER + ROW).replace("\n", newline).encode()) == READ


def test_the_last_line_needs_no_newline(path: Path) -> None:
    assert rows(path, (HEADER + ROW).rstrip().encode()) == READ


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("cp1252", b""),
    ],
)
def test_spanish_is_read_in_every_usual_encoding(path: Path, encoding: str, mark: bytes) -> None:
    text = "número,descripción\n1,Año nº 5 «ñandú» ¡5!\n"
    assert rows(path, mark + text.encode(encoding)) == [
        (1, ["número", "descripción"]),
        (2, ["1", "Año nº 5 «ñandú» ¡5!"]),
    ]


def test_windows_text_may_hold_the_sign_of_the_euro(path: Path) -> None:
    assert rows(path, "precio €\n5 €\n".encode("cp1252")) == [(1, ["precio €"]), (2, ["5 €"])]


def test_bytes_that_are_no_text_spoil_their_row_only(path: Path) -> None:
    content = HEADER.encode() + b"A-\xff\x81,x,1,2\n" + "A-ñ,x,1,2\n".encode()
    assert rows(path, content)[1:] == [
        (2, ["A-\ufffd\ufffd", "x", "1", "2"]),
        (3, ["A-ñ", "x", "1", "2"]),
    ]


def test_bytes_far_into_a_file_spoil_their_row_only(path: Path) -> None:
    many = PROBE_BYTES // len(ROW) + 10
    content = (HEADER + ROW * many).encode() + b"A-\xff,x,1,2\n" + "A-ñ,x,1,2\n".encode()
    assert rows(path, content)[-2:] == [
        (many + 2, ["A-\ufffd", "x", "1", "2"]),
        (many + 3, ["A-ñ", "x", "1", "2"]),
    ]


def test_a_character_across_the_end_of_the_probe_is_whole(path: Path) -> None:
    line = "ñ" * 99 + "\n"
    lead = "x" * (PROBE_BYTES % 2 + 1) + "\n"
    read = rows(path, (lead + line * (PROBE_BYTES // 100)).encode())
    assert {row[0] for _, row in read[1:]} == {"ñ" * 99}


def test_a_zero_byte_is_marked_in_its_cell(path: Path) -> None:
    content = HEADER.encode() + b"A-1,2026-05-01,\x00\x1f,1\n"
    assert rows(path, content)[1:] == [(2, ["A-1", "2026-05-01", "\ufffd\ufffd", "1"])]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_the_delimiter_is_found_by_the_header(path: Path, delimiter: str) -> None:
    header = HEADER.replace(",", delimiter)
    path.write_text(header + ROW.replace(",", delimiter), "utf-8")
    file = RowFile(path, "may.csv")
    assert file.choose_delimiter(GivenMapping(), {}) == delimiter
    assert list(file.rows(delimiter)) == READ


def test_a_mapping_helps_to_find_the_delimiter(path: Path) -> None:
    path.write_text("Nr,um;Da,tum;Men,ge\n", "utf-8")
    file = RowFile(path, "may.csv")
    assert file.choose_delimiter(GivenMapping(columns={"Nr,um": "number"}), {}) == ";"
    assert file.choose_delimiter(GivenMapping(), {"datum": "date"}) == ";"


def test_a_sign_in_a_quoted_header_is_no_delimiter(path: Path) -> None:
    path.write_text('"number; of invoice","date"\n', "utf-8")
    assert RowFile(path, "may.csv").choose_delimiter(GivenMapping(), {}) == ","


def test_blank_lines_are_left_out_and_counted(path: Path) -> None:
    content = f"{HEADER}\n{ROW},,,\n   \n\n{ROW}\n".encode()
    assert [line for line, _ in rows(path, content)] == [1, 3, 7]


@pytest.mark.parametrize("lead", ["\n\n", "   \n\xa0\r\n", ",,,\n;;\n", '"",""\n\t\n'])
def test_the_header_is_the_first_line_that_says_anything(path: Path, lead: str) -> None:
    path.write_text(lead + HEADER + ROW, "utf-8", newline="")
    file = RowFile(path, "may.csv")
    assert file.header_line == 3
    assert file.choose_delimiter(GivenMapping(), {}) == ","
    assert [line for line, _ in file.rows(",", file.header_line)] == [4]


def test_a_record_has_the_line_where_it_begins(path: Path) -> None:
    content = f'{HEADER}"A\n\n1",x,1,2\n{ROW}'.encode()
    assert rows(path, content)[1:] == [(2, ["A\n\n1", "x", "1", "2"]), (5, READ[1][1])]


@pytest.mark.parametrize(("after", "left"), [(0, 4), (1, 3), (2, 2), (3, 1), (5, 0)])
def test_reading_goes_on_after_a_line(path: Path, after: int, left: int) -> None:
    content = f'{HEADER}{ROW}"two\nlines",x,1,2\n{ROW}'.encode()
    assert len(rows(path, content, after=after)) == left


def test_a_record_with_broken_quotes_keeps_its_cells_and_the_next_is_read(path: Path) -> None:
    content = f'{HEADER}A-1,"x"y,1,2\n{ROW}'.encode()
    assert rows(path, content)[1:] == [(2, ["A-1", 'x"y', "1", "2", BROKEN]), (3, READ[1][1])]
    assert rows(path, content, after=2) == [(3, READ[1][1])]


def test_quotes_inside_a_cell_are_text(path: Path) -> None:
    content = f'{HEADER}A-1,5" disc,"say ""hi""",2\n'.encode()
    assert rows(path, content)[1:] == [(2, ["A-1", '5" disc', 'say "hi"', "2"])]


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"  \r\n", b",,,\n;;\n", codecs.BOM_UTF8, b"\xff\xfe"]
)
def test_an_empty_file_is_refused(path: Path, content: bytes) -> None:
    refused = refusal(path, content)
    assert refused.code == "imports.empty"
    assert refused.message.startswith("File may.csv, line 1:")


def test_an_empty_gzip_is_refused(path: Path) -> None:
    assert refusal(path, gzip.compress(b"")).code == "imports.empty"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (PNG, "a picture"),
        (b"\xff\xd8\xff\xe0rest", "a picture"),
        (b"PK\x03\x04rest", "Excel"),
        (b"%PDF-1.7", "PDF"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel"),
        (gzip.compress(b"PK\x03\x04rest", mtime=0), "Excel"),
        (b"a,b\n" + bytes(range(32)) * 9, "line 2, column 1 holds the byte 0x00"),
        (bytes(range(32)) * 9, "line 1, column 1 holds the byte 0x00"),
    ],
    ids=["png", "jpeg", "xlsx", "pdf", "xls", "gzip of xlsx", "control bytes", "from the start"],
)
def test_what_is_no_text_is_refused(path: Path, content: bytes, what: str) -> None:
    refused = refusal(path, content)
    assert refused.code == "imports.no_csv"
    assert refused.message.startswith("File may.csv ")
    assert what in refused.message


def test_a_quoted_field_that_is_cut_off_is_refused_where_it_begins(path: Path) -> None:
    refused = refusal(path, f'{HEADER}{ROW}A-2,"never closed\n{ROW}{ROW}'.encode())
    assert refused.code == "imports.cut_off"
    assert refused.message.startswith("File may.csv, line 3:")


def test_a_cell_beyond_any_size_is_refused_where_it_begins(path: Path) -> None:
    refused = refusal(path, f'{HEADER}"{"x" * (CELL_CHARACTERS_MAX + 1)}",x,1,2\n'.encode())
    assert refused.code == "imports.cut_off"
    assert refused.message.startswith("File may.csv, line 2:")


@pytest.mark.parametrize("letter", [b"x", b",", b'"', b"\xe9"], ids=["x", "comma", "quote", "e"])
def test_a_line_without_end_is_refused_before_memory_holds_it(path: Path, letter: bytes) -> None:
    refused = refusal(path, gzip.compress(HEADER.encode() + letter * 4_000_000))
    assert refused.code in {"imports.endless_line", "imports.cut_off"}
    assert refused.message.startswith("File may.csv, line 2:")


def test_a_gzip_that_is_cut_off_is_refused_after_what_was_read(path: Path) -> None:
    lines = "".join(f"A-{n},2026-05-01,{n % 97},1.{n % 89}\n" for n in range(25_000))
    whole = gzip.compress((HEADER + lines).encode())
    refused = refusal(path, whole[: len(whole) - 20])
    assert refused.code == "imports.damaged_gzip"
    assert refused.message.startswith("File may.csv, after line ")
    assert int(refused.message.split("after line ")[1].split(":")[0]) > 20_000


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b", b"\x1f\x8bnonsense", gzip.compress(b"a" * 99, mtime=0)[:-9]]
)
def test_a_gzip_that_is_none_is_refused(path: Path, content: bytes) -> None:
    refused = refusal(path, content)
    assert refused.code == "imports.damaged_gzip"
    assert "File may.csv, after line 0" in refused.message


def test_a_gzip_with_changed_bytes_is_refused(path: Path) -> None:
    whole = bytearray(gzip.compress((HEADER + ROW * 20_000).encode()))
    whole[len(whole) // 2] ^= 0xFF
    assert refusal(path, bytes(whole)).code == "imports.damaged_gzip"
