"""Times and steps of a series are checked before the store is asked."""

import pytest


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("start=100&end=200&step=10", (100, 200, 10)),
        ("start=100&end=200&step=10s", (100, 200, 10)),
        ("start=1970-01-01T00:01:40Z&end=1970-01-01T01:03:20%2B01:00&step=1min", (100, 200, 60)),
        ("start=1970-01-01T00:01:40Z&end=1970-01-01T01:03:20+01:00&step=1", (100, 200, 1)),
        ("start=100&end=200", (100, 200, 1)),
        ("start=0&end=3000", (0, 3000, 10)),
        ("end=1000", (100, 1000, 3)),
    ],
)
async def test_a_span_reaches_the_store_in_unix_seconds(client, query, expected):
    answer = await client.get(f"/v1/series?kind=core&entity=core:0&field=user_ticks&{query}")
    assert answer.status == 200, await answer.text()
    found = (await answer.json())["data"]
    assert found["unit"] == "core core:0 user_ticks"
    (start, _), (end, step) = found["points"]
    assert (start, end, step) == expected


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("entity=core:0&field=x", "query.missing"),
        ("kind=core&entity=core:0&field=x&start=200&end=100", "query.bad-value"),
        ("kind=core&entity=core:0&field=x&start=yesterday", "query.bad-value"),
        ("kind=core&entity=core:0&field=x&start=2026-11-20T10:00:00", "query.bad-value"),
        ("kind=core&entity=core:0&field=x&start=nan", "query.bad-value"),
        ("kind=core&entity=core:0&field=x&end=1e300", "query.bad-value"),
        ("kind=core&entity=core:0&field=x&step=0", "query.bad-value"),
        ("kind=core&entity=core:0&field=x&step=-1", "query.bad-value"),
        ("kind=core&entity=core:0&field=x&step=5m", "query.bad-value"),
        ("kind=core&entity=core:0&field=x&start=0&end=1000000&step=1", "query.bad-value"),
        ("kind=none&entity=core:0&field=x", "series.unknown"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_a_reason(client, query, key):
    answer = await client.get(f"/v1/series?{query}")
    assert answer.status == 400
    assert (await answer.json())["error"]["key"] == key
