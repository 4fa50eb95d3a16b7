from velostream_nb.sql.split import split


def texts(text: str) -> list[str]:
    return [piece.text for piece in split(text)[0]]


def test_statements_end_at_semicolons_outside_of_strings_names_and_comments() -> None:
    text = """SELECT 'a;b', "c;d", $$e;f$$, $t$g;$$h$t$, E'i\\';j' -- k;
    /* l; /* m; */ n; */ FROM s; STOP JOB x"""
    assert [t[:9] for t in texts(text)] == ["SELECT 'a", "STOP JOB "]


def test_empty_statements_are_skipped() -> None:
    assert texts(" ;; -- nothing\n; SELECT 1 ; /* ; */ ;") == ["SELECT 1"]
    assert texts("") == []


def test_text_is_as_written_without_comments_around_it() -> None:
    assert texts("/* a */ SELECT  1 /* in */ + 2 -- after\n;") == ["SELECT  1 /* in */ + 2"]


def test_place_counts_lines_as_editors_do() -> None:
    pieces, _ = split("SELECT 1;\r\n\r\n  SELECT 2;\n\tSTOP JOB x")
    assert [(p.place.line, p.place.column) for p in pieces] == [(1, 1), (3, 3), (4, 2)]
    assert pieces[1].place.caret() == "    SELECT 2;\n    ^^^^^^"


def test_header_is_what_stands_before_the_first_statement() -> None:
    _, header = split(
        "-- SQL Application: Trading\n-- Version: 1.0\n\n-- Name: first\nSTOP JOB a;\n-- Name: second\nSTOP JOB b"
    )
    assert header == {"sql application": "Trading", "version": "1.0"}


def test_one_comment_block_is_header_and_annotations() -> None:
    pieces, header = split("-- Name: only\n-- @owner: desk\nSTOP JOB a")
    assert header == {"name": "only"}
    assert pieces[0].annotations == {"name": "only", "owner": "desk"}


def test_annotations_are_directly_above_their_statement() -> None:
    pieces, _ = split(
        "-- Name: far\n\n-- @name: near\n-- Property: a=1\n-- Property: b=2\nSTOP JOB a; -- Name: behind\nSTOP JOB b"
    )
    assert pieces[0].annotations == {"name": "near", "property": "a=1\nb=2"}
    assert pieces[1].annotations == {}


def test_prose_and_addresses_are_no_annotations() -> None:
    pieces, header = split(
        "-- as we have seen many times before: nothing\n-- http://example.org\n-- ---- : --\nSTOP JOB a"
    )
    assert (header, pieces[0].annotations) == ({}, {})


def test_a_header_without_statements_is_kept() -> None:
    assert split("-- Name: x") == ([], {"name": "x"})


def test_white_space_from_documents_is_white_space() -> None:
    assert texts("\ufeffSELECT\u00a01;\u200bSELECT 2") == ["SELECT\u00a01", "SELECT 2"]
