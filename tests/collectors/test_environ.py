"""Only allow-listed, harmless variables leave a process's environment."""

from hypothesis import given
from hypothesis import strategies as st

from collectors.environ import allowed_environ

KEYS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=12)


def raw(**values: str) -> bytes:
    return b"".join(f"{key}={value}\0".encode() for key, value in values.items())


def test_thread_counts_pass_and_the_rest_stays() -> None:
    values = allowed_environ(raw(OMP_NUM_THREADS="1", HOME="/root", MLSERVER_PARALLEL_WORKERS="3", PATH="/bin"))
    assert values == {"OMP_NUM_THREADS": "1", "MLSERVER_PARALLEL_WORKERS": "3"}


def test_secrets_behind_allowed_prefixes_stay() -> None:
    secrets = raw(
        VLLM_API_KEY="abc",
        MLSERVER_DB_PASSWORD="abc",
        MLSERVER_KAFKA="redis://u:pw@h",
        OLLAMA_AUTH="x",
        TS_NOTE="Bearer abcdef",
        SGLANG_X="aB3dE6gH9jK2mN5pQ8sT1vW4",
        OMP_PLACES="x" * 2000,
    )
    assert allowed_environ(secrets) == {}


@given(st.sampled_from(["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"]), KEYS, KEYS, st.text("abc123", max_size=9))
def test_no_key_that_names_a_secret_passes(word: str, before: str, after: str, value: str) -> None:
    assert allowed_environ(raw(**{f"MLSERVER_{before}{word}_{after}": value})) == {}


def test_arguments_in_a_variable_are_redacted() -> None:
    values = allowed_environ(raw(GUNICORN_CMD_ARGS="--workers 2 --env 'API_TOKEN=a b' -e KEY=c"))
    assert values == {"GUNICORN_CMD_ARGS": "--workers 2 --env 'API_TOKEN=[redacted]' -e 'KEY=[redacted]'"}


def test_arguments_with_an_open_quote_are_hidden_whole() -> None:
    assert allowed_environ(raw(GUNICORN_CMD_ARGS="--env 'API_TOKEN=a b")) == {"GUNICORN_CMD_ARGS": "[redacted]"}


def test_an_environment_of_nuls_is_erased_and_not_empty() -> None:
    assert allowed_environ(b"\0" * 1496) is None


def test_an_environment_into_which_a_long_title_ran_is_erased() -> None:
    assert allowed_environ(b"ster [app:app --x=1]\0\0\0\0") is None


def test_a_process_started_without_environment_has_an_empty_one() -> None:
    assert allowed_environ(b"") == {}


def test_bytes_that_are_not_text_do_not_break_it() -> None:
    assert allowed_environ(b"OMP_PLACES=\xff\xfe\0A\xff=1\0") == {"OMP_PLACES": "\\xff\\xfe"}
