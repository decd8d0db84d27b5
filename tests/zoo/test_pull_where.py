import pytest

from wembed.errors import UsageError
from wembed.zoo.pull import where as where_module
from wembed.zoo.pull.where import matching

ROWS = [
    {"id": "a/bert", "params": 110, "licence": "mit", "gated": False, "tags": ["en", "bert"], "commit": "0" * 40},
    {"id": "a/gpt2", "params": None, "licence": None, "gated": True, "tags": [], "commit": "1" * 40},
    {
        "id": "b/o'x",
        "params": 2**70,
        "licence": "apache-2.0",
        "gated": False,
        "tags": ["\ud800", 3],
        "commit": "2" * 40,
    },
]
KNOWN = 'known are id, params, licence, gated, tags, "commit"'


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("params < 200", [True, False, False]),
        ("params > 1e20", [False, False, True]),
        ("params is null", [False, True, False]),
        ("not params < 200", [False, False, True]),
        ("gated", [False, True, False]),
        ("not gated and licence in ('mit', 'apache-2.0')", [True, False, True]),
        ("tags like '%bert%'", [True, False, False]),
        ("tags = 'en, bert'", [True, False, False]),
        ("tags = ''", [False, True, False]),
        ("id = 'b/o''x'", [False, False, True]),
        ("id glob 'a/*' or length(licence) = 10", [True, True, True]),
        ("ID = 'a/bert'", [True, False, False]),
        ("\"commit\" like '1%'", [False, True, False]),
        ("params < (select max(params) from facts)", [True, False, False]),
        ("1 -- all of them", [True, True, True]),
        ("1) or (0", [True, True, True]),
        ("null", [False, False, False]),
        ("1) union select (99", [True, True, True]),
    ],
)
def test_an_expression_chooses_rows(where, expected):
    assert matching(ROWS, where) == expected


def test_no_rows_match_nothing():
    assert matching([], "params > 3") == []


def refusal(where) -> UsageError:
    with pytest.raises(UsageError) as refused:
        matching(ROWS, where)
    assert refused.value.message.isprintable()
    return refused.value


@pytest.mark.parametrize(
    ("where", "message", "hint"),
    [
        ("param > 3", "--where 'param > 3': no column 'param'", f"did you mean params? {KNOWN}"),
        ("size > 3", "--where 'size > 3': no column 'size'", KNOWN),
        ("1 in (select 1 from sqlite_master)",
         "--where '1 in (select 1 from sqlite_master)': may do nothing but compare columns", KNOWN),
        ("load_extension('x')", "--where \"load_extension('x')\": may do nothing but compare columns", KNOWN),
        ("1 in (select 1 from pragma_database_list)",
         "--where '1 in (select 1 from pragma_database_list)': may do nothing but compare columns", KNOWN),
    ],
)  # fmt: skip
def test_a_wrong_expression_is_one_line_and_names_the_columns(where, message, hint):
    error = refusal(where)
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("params >", "syntax error"),
        ("", "syntax error"),
        ("1); drop table facts; --", "one statement at a time"),
        ("unknown_function(1)", "no such function: unknown_function"),
        ("count(*) > 1", "misuse of aggregate"),
        ("zeroblob(999999999) = 1", "string or blob too big"),
    ],
)
def test_what_is_no_expression_is_told_as_sqlite_does(where, reason):
    error = refusal(where)
    assert error.message.startswith(f"--where {where!r}: not an SQL expression: ")
    assert reason in error.message
    assert error.hint == KNOWN


@pytest.mark.parametrize("where", ["a\0", "a\nb", "\ud800 = 1", "(" * 5000, "\x1b[31m", "a" * 200_000])
def test_a_hostile_expression_is_one_line(where):
    assert refusal(where).message.startswith("--where ")


ENDLESS = [
    "1 in (with recursive n(x) as (select 1 union all select x + 1 from n) select x from n where x < 0)",
    "0 < (select sum(length(a.id)) from " + ", ".join(f"facts {letter}" for letter in "abcdefghijklmnopqrst") + ")",
]


@pytest.mark.parametrize("where", ENDLESS)
def test_an_expression_that_does_not_end_is_ended(where, monkeypatch):
    monkeypatch.setattr(where_module, "_LONGEST", 0.2)
    message = refusal(where).message
    assert message.endswith(("takes longer than 0 seconds", "may do nothing but compare columns"))


def test_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for where in ("writefile('x', 'y')", "1); attach 'x.db' as x; --", "(select 1); vacuum into 'x.db'", "edit('x')"):
        refusal(where)
    assert not list(tmp_path.iterdir())
