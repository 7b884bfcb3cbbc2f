"""Names and ids of services."""

from collectors.discover.identity import Identity, Names


def identity(owner: str | None = None, application: str = "shop", port: int | None = 8000) -> Identity:
    return Identity(
        framework="gunicorn", application=application, port=port, owner=owner, manager="bare", title="gunicorn/shop:8000"
    )  # fmt: skip


def test_equal_titles_of_different_services_are_told_apart_and_remembered() -> None:
    names = Names()
    a, b = identity("a.service"), identity("b.service")
    assert [name for _, name in names.assign([a, b])] == ["gunicorn/shop:8000", "gunicorn/shop:8000#2"]
    assert [name for _, name in names.assign([b])] == ["gunicorn/shop:8000#2"]
    assert [name for _, name in names.assign([b, a])] == ["gunicorn/shop:8000#2", "gunicorn/shop:8000"]


def test_a_second_service_of_one_identity_has_its_own_id_until_the_first_is_gone() -> None:
    names = Names()
    first, second = names.assign([identity(), identity()])
    assert first == (identity().id, "gunicorn/shop:8000")
    assert second[1] == "gunicorn/shop:8000#2"
    assert second[0] != first[0]
    assert names.assign([identity()]) == [first]


def test_the_id_hangs_on_application_owner_and_port() -> None:
    ids = {identity().id, identity("a").id, identity(application="cart").id, identity(port=None).id}
    assert len(ids) == 4
    assert identity().id == identity().id
