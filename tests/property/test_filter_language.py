"""The filter language against plain Python: the same rows, whatever is asked; and nothing but its own errors."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfungst.viewing.compiled import PLACE, compiled, matcher
from pfungst.viewing.fields import Field, Vocabulary
from pfungst.viewing.language import All, Comparison, Either, FilterError, Not, Operand, parse, quoted

CLASSES = ("husky", "wolf", "a 'quoted' \"one\"", "answer")
SITES = ("A", "B", "St Mary's", "100%", "x' or 1=1 --")
ROWS = 60
RNG = np.random.default_rng(0)
DATA = {
    "label": [None if row % 7 == 0 else int(RNG.integers(4)) for row in range(ROWS)],
    "answer": [int(RNG.integers(4)) for _ in range(ROWS)],
    "confidence": [round(float(RNG.uniform(0.2, 1)), 2) for _ in range(ROWS)],
    "column:0": [None if row % 5 == 0 else SITES[row % 5] for row in range(ROWS)],
    "column:1": [None if row % 11 == 0 else float(row % 13) for row in range(ROWS)],
}
OWN = {
    name: Field(name, kind, name) for name, kind in (("label", "class"), ("answer", "class"), ("confidence", "number"))
}
COLUMNS = {"site": Field("site", "text", "column:0"), "odd \"one'": Field("odd \"one'", "number", "column:1")}
WORDS = Vocabulary(CLASSES, OWN, COLUMNS, {}, {})


@pytest.fixture(scope="module")
def database():
    pytest.importorskip("duckdb", reason="no filters are run: duckdb is not installed")
    from pfungst.viewing.queries import database

    return database()


def asked(database, words):
    parsed = parse(words)
    sql = compiled(parsed.condition, parsed.order, WORDS)
    cursor = database.cursor()
    columns = {name: pa.array(DATA[key]) for key, name in sql.columns.items()}
    cursor.register("rows", pa.table({PLACE: pa.array(range(ROWS), pa.int32()), **columns}))
    statement = f"select {PLACE} from rows where {sql.where} order by {sql.order}"
    return [row for (row,) in cursor.execute(statement, list(sql.values)).fetchall()]


def holds(node, row):
    """The meaning of a condition, said once more in plain Python."""
    if isinstance(node, Not):
        return not holds(node.inner, row)
    if isinstance(node, All | Either):
        return (all if isinstance(node, All) else any)(holds(part, row) for part in node.parts)
    left = DATA[KEYS[node.left.text]][row]
    if node.operator == "missing":
        return left is None
    if left is None:
        return False
    words = node.right[0].text
    if node.operator == "like":
        return matcher(words)(said(node.left.text, left))
    if node.operator == "contains":
        return words.lower() in said(node.left.text, left).lower()
    values = [DATA[one.text][row] if named(one) else worth(node.left.text, one.text) for one in node.right]
    if None in values:
        return False
    other = values[0]
    return {
        "=": left == other, "!=": left != other, "in": left in values,
        "<": node.operator == "<" and left < other, "<=": node.operator == "<=" and left <= other,
        ">": node.operator == ">" and left > other, ">=": node.operator == ">=" and left >= other,
    }[node.operator]  # fmt: skip


KEYS = {"label": "label", "answer": "answer", "confidence": "confidence", "site": "column:0", "odd \"one'": "column:1"}


def named(one):
    return not one.quoted and one.text in OWN


def said(name, value):
    return CLASSES[value] if name in {"label", "answer"} else value


def worth(name, text):
    if name in {"label", "answer"}:
        return CLASSES.index(text) if text in CLASSES else None
    return text if name == "site" else float(text)


def spelled(node):
    """A condition in words."""
    if isinstance(node, Not):
        return f"not ({spelled(node.inner)})"
    if isinstance(node, All | Either):
        return "(" + (" and " if isinstance(node, All) else " OR ").join(spelled(part) for part in node.parts) + ")"
    left = (
        "column(" + '"' + node.left.text.replace('"', '""') + '")'
        if node.left.text not in {*OWN, "site"}
        else node.left.text
    )
    values = [one.text if named(one) else '"' + one.text.replace('"', '""') + '"' for one in node.right]
    if node.operator == "missing":
        return f"{left} is missing"
    return f"{left} in ({', '.join(values)})" if node.operator == "in" else f"{left} {node.operator} {values[0]}"


def value(text):
    return Operand(text, quoted=True)


def listed(lefts, rights):
    some = st.lists(rights, min_size=1, max_size=3).map(tuple)
    return st.builds(lambda left, values: Comparison("in", left, values), lefts, some)


def comparisons():
    classes = st.sampled_from([Operand("label"), Operand("answer")])
    numbers = st.sampled_from([Operand("confidence"), Operand("odd \"one'")])
    site, some = st.just(Operand("site")), st.sampled_from([*SITES, "Z"]).map(value)
    patterns = st.text(alphabet="%_abA'1xW\" ", max_size=6).map(value)
    sizes = st.sampled_from([0.5, 0.3, 7, 0, 12]).map(lambda size: value(str(size)))
    one = st.sampled_from(CLASSES).map(value)
    equal, ordered = st.sampled_from(["=", "!="]), st.sampled_from(["=", "!=", "<", "<=", ">", ">="])

    def made(operators, lefts, rights):
        return st.builds(lambda operator, left, right: Comparison(operator, left, (right,)), operators, lefts, rights)

    return st.one_of(
        made(equal, classes, one | st.just(Operand("answer"))),
        made(ordered, numbers, sizes),
        made(ordered, site, some),
        made(st.sampled_from(["like", "contains"]), site | classes, patterns),
        st.builds(lambda left: Comparison("missing", left), classes | numbers | site),
        listed(site, some),
        listed(classes, one),
    )


def conditions():
    def larger(inner):
        some = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(Not, inner) | st.builds(All, some) | st.builds(Either, some)

    return st.recursive(comparisons(), larger, max_leaves=6)


@settings(max_examples=80, deadline=None)
@given(node=conditions())
def test_rows_are_those_that_python_finds(database, node):
    words = spelled(node)
    assert asked(database, words) == [row for row in range(ROWS) if holds(node, row)], words


PIECES = (
    *(
        "label",
        "answer",
        "=",
        "!=",
        "(",
        ")",
        "and",
        "or",
        "not",
        "in",
        "order",
        "by",
        "'",
        '"',
        ";",
        "--",
        "wolf",
        "site",
    ),
    *(
        ",",
        "column(",
        "condition(",
        "like",
        "is",
        "missing",
        "drop table rows",
        "union select",
        "1",
        "desc",
        "$1",
        "c0",
    ),
    ".answer",
)
FIXED = re.compile(
    r"(?:(?:c\d+|\$\d+|and|or|not|coalesce|false|true|is|null|in|ilike|contains|lower|asc|desc|nulls|last|place"
    r"|<=|>=|<>|[=<>(),])\s*)+"
)


def refusal(words):
    """The error of a filter, None if it is read; then the SQL is checked to be of fixed words alone."""
    try:
        parsed = parse(words)
        sql = compiled(parsed.condition, parsed.order, WORDS)
    except FilterError as error:
        return error
    assert FIXED.fullmatch(sql.where), sql.where
    assert FIXED.fullmatch(sql.order), sql.order
    return None


@settings(max_examples=200, deadline=None)
@given(words=st.text(max_size=80) | st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join))
def test_any_words_become_fixed_sql_or_are_refused_with_a_position(words):
    error = refusal(words)
    if error is not None:
        assert 1 <= error.at <= len(words) + 1
        assert str(error).startswith(f"position {error.at}: ")


@given(text=st.text(max_size=30))
def test_a_quoted_value_is_read_back(text):
    condition = parse(f"label = {quoted(text)}").condition
    assert condition.right[0].text == text


@pytest.mark.parametrize(
    ("words", "at", "said"),
    [
        ("lable = wolf", 1, "'lable' is no name of a column; there are label, answer, confidence, site"),
        ("label = wolfs", 9, "there is no class 'wolfs'; there are husky, wolf"),
        ("label = St Mary", 12, "values of several words stand in quotes"),
        ("confidence > high", 14, "confidence holds numbers, and 'high' is none"),
        ("label < wolf", 1, "label has no order"),
        ("confidence like 0%", 17, "holds numbers; `like` is for texts"),
        ("(label = wolf", 14, "the filter ends; here goes `)`"),
        ('label = "wolf', 9, "this quote is not closed"),
        ("label = wolf order by nothing", 23, "'nothing' is no name of a column"),
        ('condition("border swapped").answer != answer', 1, "there is no condition 'border swapped'; there is none"),
        ("site = answer", 8, "site (text) and answer (class) cannot be compared"),
        ("label", 1, "label is not yes or no by itself"),
        ("not " * 60 + "wrong", 165, "deep"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_position(words, at, said):
    error = refusal(words)
    assert error is not None
    assert error.at == at
    assert said in str(error)


def test_a_class_named_like_a_column_is_meant_where_it_is_quoted(database):
    meant = asked(database, 'label = "answer"')
    assert meant == [row for row in range(ROWS) if DATA["label"][row] == 3]
    assert asked(database, "label = answer") == [
        row for row in range(ROWS) if DATA["label"][row] == DATA["answer"][row]
    ]


def test_orders_settle_ties_by_place_and_put_missing_last(database):
    found = asked(database, "order by label desc, confidence")
    key = [(DATA["label"][row] is None, -(DATA["label"][row] or 0), DATA["confidence"][row], row) for row in found]
    assert key == sorted(key)


MANY = Vocabulary(
    ("Husky", "Wolf"),
    OWN | {"right": Field("right", "truth", "right")},
    {f"score {i}": Field(f"score {i}", "number", f"column:{i}") for i in range(20)},
    {"border swapped": "k1", "night": "k2"},
    {"cue:border": "border swapped"},
)


@pytest.mark.parametrize(
    ("words", "key", "values"),
    [
        ('condition("border swapped") = wolf', "k1:answer", (1,)),
        ('condition("Border Swapped").answer = WOLF', "k1:answer", (1,)),
        ('condition("cue:border").confidence < 0.5', "k1:confidence", (0.5,)),
        ('column("SCORE 3") > 1', "column:3", (1.0,)),
    ],
)
def test_conditions_and_columns_are_found_by_any_of_their_names(words, key, values):
    parsed = parse(words)
    sql = compiled(parsed.condition, parsed.order, MANY)
    assert key in sql.columns
    assert tuple(sql.values) == values


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ('condition("night").colour = 1', "a condition has .answer and .confidence, not .colour"),
        ('condition("day") = wolf', "there is no condition 'day'; there are border swapped, night, cue:border"),
        ('column("scor 7") > 1', r"there are score 7, .* and 8 more"),
        ("answer = fox", "there is no class 'fox'; there are Husky, Wolf"),
        ("right = maybe", "right is yes or no, not 'maybe'"),
    ],
)
def test_names_that_are_not_there_are_answered_with_those_that_are(words, said):
    parsed = parse(words)
    with pytest.raises(FilterError, match=said):
        compiled(parsed.condition, parsed.order, MANY)
