from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def rolled_up(keys, *, prefix, delimiter):
    """Return a listing by its definition: keys and common prefixes in the order of their UTF-8 bytes."""
    entries = set()
    for key in keys:
        if key.startswith(prefix):
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            entries.add(key if cut < 0 else key[: cut + len(delimiter)])
    return sorted(entries, key=lambda entry: entry.encode())


def entries_of(page):
    keys = [item["Key"] for item in page.get("Contents", [])]
    return keys + [item["Prefix"] for item in page.get("CommonPrefixes", [])]


KEYS = st.sets(st.text("ab/%+ &ü\U0001f311", min_size=1, max_size=6), max_size=14)


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects", "list_object_versions"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None, derandomize=True)
@given(keys=KEYS, prefix=st.text("ab/", max_size=2), delimiter=st.sampled_from(["", "/", "b/"]), size=st.integers(1, 4))
def test_pages_together_are_the_listing_by_definition(s3, store, operation, keys, prefix, delimiter, size):
    for stored in store.list("rocks"):
        store.delete("rocks", stored.key)
    for key in keys:
        store.put("rocks", key, [b""])
    paginator = s3.get_paginator(operation)
    pages = list(
        paginator.paginate(Bucket="rocks", Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size})
    )
    for page in pages:
        page["Contents"] = page.get("Versions", page.get("Contents", []))
    shown = [entry for page in pages for entry in entries_of(page)]
    assert sorted(shown, key=lambda entry: entry.encode()) == rolled_up(keys, prefix=prefix, delimiter=delimiter)
    assert all(len(entries_of(page)) == size for page in pages[:-1])


def test_5000_objects_come_in_pages_of_1000(s3, store):
    with store.state.transaction() as connection:
        connection.executemany(
            "INSERT INTO s3_object VALUES ('rocks', ?, 0, 'e', 'none', 0, ?)",
            [(f"data/{number:05d}", '{"part_sizes_bytes": []}') for number in range(5000)],
        )
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="rocks", Prefix="data/"))
    assert [page["KeyCount"] for page in pages] == [1000] * 5
    assert [item["Key"] for page in pages for item in page["Contents"]] == [f"data/{n:05d}" for n in range(5000)]
    assert s3.list_objects_v2(Bucket="rocks", Delimiter="/")["CommonPrefixes"] == [{"Prefix": "data/"}]


def test_a_listing_starts_after_a_key_and_can_be_empty(s3, refused):
    for key in ("a", "b", "c"):
        s3.put_object(Bucket="rocks", Key=key, Body=b"12")
    listed = s3.list_objects_v2(Bucket="rocks", StartAfter="a", MaxKeys=1, FetchOwner=True)
    assert (entries_of(listed), listed["IsTruncated"], listed["StartAfter"]) == (["b"], True, "a")
    assert listed["Contents"][0]["Size"] == 2
    assert listed["Contents"][0]["StorageClass"] == "STANDARD"
    assert len(listed["Contents"][0]["Owner"]["ID"]) == 64
    none = s3.list_objects_v2(Bucket="rocks", MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)
    assert refused(s3.list_objects_v2, Bucket="rocks", ContinuationToken="???")["Code"] == "InvalidArgument"
    negative = refused(s3.list_objects_v2, Bucket="rocks", MaxKeys=-1)
    assert negative["Code"] == "InvalidArgument"
    assert negative["Message"] == "Argument maxKeys must be an integer between 0 and 2147483647"
    assert "Delimiter" not in s3.list_objects_v2(Bucket="rocks", Delimiter="")


def test_a_listing_without_url_encoding_escapes_for_xml(exchange, s3):
    s3.put_object(Bucket="rocks", Key='<&>"')
    assert b"<Key>&lt;&amp;&gt;&quot;</Key>" in exchange("GET", "/rocks").body
    assert b"InvalidArgument" in exchange("GET", "/rocks", query={"encoding-type": "rot13"}).body
