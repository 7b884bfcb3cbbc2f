"""What is kept of names that were found, and how much of it."""

from collectors.native.symbol_cache import FILES_LIMIT, FileKey, Function, SymbolCache


def key(inode: int, modified_ns: int = 0) -> FileKey:
    return FileKey(1, inode, 100, modified_ns)


def test_a_function_is_known_by_each_of_its_addresses() -> None:
    cache = SymbolCache()
    cache.add(key(1), [Function(20, 30, "two"), Function(10, 20, "one"), Function(40, 41, "")])
    assert cache.known(key(1), [9, 10, 19, 20, 29, 30, 40, 41]) == {10: "one", 19: "one", 20: "two", 29: "two", 40: ""}


def test_another_content_of_the_file_is_another_file() -> None:
    cache = SymbolCache()
    cache.add(key(1), [Function(10, 20, "one")])
    assert cache.known(key(1, modified_ns=5), [10]) == {}
    assert cache.known(key(2), [10]) == {}


def test_one_without_a_size_grows_as_it_is_asked_for() -> None:
    cache = SymbolCache()
    cache.add(key(1), [Function(10, 13, "bare"), Function(10, 17, "bare")])
    cache.add(key(1), [Function(10, 15, "bare")])
    assert cache.known(key(1), [16, 17]) == {16: "bare"}
    assert len(cache) == 1


def test_what_overlaps_is_left_out() -> None:
    cache = SymbolCache()
    cache.add(key(1), [Function(10, 20, "one")])
    cache.add(key(1), [Function(15, 30, "damaged")])
    assert cache.known(key(1), [15, 25]) == {15: "one"}


def test_the_files_used_least_recently_go_first() -> None:
    cache = SymbolCache(limit=3)
    for inode in (1, 2, 3):
        cache.add(key(inode), [Function(10, 20, f"of {inode}")])
    assert cache.known(key(1), [10]) == {10: "of 1"}
    cache.add(key(4), [Function(10, 20, "of 4")])
    assert [cache.known(key(inode), [10]) for inode in (1, 2, 3, 4)] == [{10: "of 1"}, {}, {10: "of 3"}, {10: "of 4"}]
    assert len(cache) == 3


def test_one_file_alone_does_not_exceed_the_limit() -> None:
    cache = SymbolCache(limit=3)
    cache.add(key(1), [Function(at, at + 1, "f") for at in range(10)])
    cache.add(key(1), [Function(at, at + 1, "f") for at in range(10, 20)])
    assert len(cache) == 3


def test_the_number_of_files_is_bounded() -> None:
    cache = SymbolCache()
    for inode in range(FILES_LIMIT + 5):
        cache.add(key(inode), [Function(10, 20, "one")])
    assert len(cache) == FILES_LIMIT
