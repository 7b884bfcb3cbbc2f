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


def test_what_servers_of_language_models_are_set_by_passes_and_their_tokens_stay() -> None:
    settings = {
        "NIM_MAX_MODEL_LEN": "8192", "NIM_SERVER_PORT": "8000", "DYN_SYSTEM_PORT": "8081", "DYN_TRTLLM_MAX_BATCH_SIZE": "4",
        "MODEL_ID": "google/gemma-2-9b-it", "NUM_SHARD": "2", "QUANTIZE": "awq", "MAX_CONCURRENT_REQUESTS": "128",
        "MAX_BATCH_TOTAL_TOKENS": "32000", "MAX_TOTAL_TOKENS": "4096", "CUDA_MEMORY_FRACTION": "0.8",
        "OLLAMA_NUM_PARALLEL": "4", "LLAMA_ARG_THREADS": "8",
    }  # fmt: skip
    secrets = {
        "HF_TOKEN": "hf_abc", "HUGGING_FACE_HUB_TOKEN": "x", "NGC_API_KEY": "x", "NIM_API_KEY": "x", "API_KEY": "x",
        "LLAMA_API_KEY": "x", "LLAMA_ARG_API_KEY_FILE": "/k", "NGROK_AUTHTOKEN": "x", "HF_API_TOKEN": "x",
        "DYN_TRTLLM_AUTH_TOKEN": "12", "MAX_TOTAL_TOKENS_": "12", "NIM_TOKENS": "12",
    }  # fmt: skip
    assert allowed_environ(raw(**settings, **secrets)) == settings


def test_a_count_of_tokens_passes_only_if_it_is_one() -> None:
    assert allowed_environ(raw(MAX_TOTAL_TOKENS="hunter2", MAX_BATCH_TOTAL_TOKENS="1234567890123")) == {}


def test_options_that_nim_passes_through_are_redacted() -> None:
    values = allowed_environ(raw(NIM_PASSTHROUGH_ARGS="--max-model-len 8192 --api-key abc"))
    assert values == {"NIM_PASSTHROUGH_ARGS": "--max-model-len 8192 --api-key '[redacted]'"}
