"""Does every number of an estimate stand on the screen as the agent says it, in lines that fit?"""

import pytest
from msgspec.structs import replace
from textual.content import Content

from advisor.migration.result import DeviceEstimate, MigrationEstimate
from tests.snapshots_migration import blind_migration, example_migrations, loaded_migration
from tui.device_lines import cost_lines, memory_lines, smaller_lines, speed_lines, split_lines, term_lines
from tui.migration import best, ceiling_text, fit_text, in_a_word, pays_text, share_bar, share_text, situation_text
from tui.ratios import Scale, gain_of, told
from tui.widgets.alternative_list import alternative_prompts, worth_a_look
from tui.widgets.alternative_page import device_lines, way_lines
from tui.widgets.migration_head import head_lines

LOADED, LLM, _ = example_migrations()
WIDTHS = pytest.mark.parametrize("width", [50, 86, 170])


def plain(rows: list[Content]) -> str:
    return "\n".join(row.plain for row in rows)


def longest(rows: list[Content]) -> int:
    return max(len(line) for row in rows for line in row.plain.split("\n"))


def l4() -> DeviceEstimate:
    return LOADED.devices[0]


@WIDTHS
def test_what_could_move_and_what_it_rests_on_is_said_with_units(width: int) -> None:
    now = LOADED.situation
    assert now is not None
    rows = head_lines(LOADED, (), width)
    share = now.work.part.share
    assert share_text(share) in plain(rows)
    assert f"{share.low * 100:.0f}–{share.high * 100:.0f} % of CPU time, likely {share.mode * 100:.0f}" == share_text(
        share
    )
    assert situation_text(now) == [
        f"{now.work.per_second:.3g} requests/s", "200 ms CPU each", "latency 210 ms", "objective 100 ms", "16 cores left",
    ]  # fmt: skip
    assert " ".join(plain(rows).split()).endswith(LOADED.left_out[0])
    assert longest(rows[:-1]) <= width


def test_the_share_is_drawn_as_what_is_sure_and_what_may_be() -> None:
    assert LOADED.situation is not None
    share = LOADED.situation.work.part.share
    drawn = share_bar(share, 100).plain
    assert (drawn.count("█"), drawn.count("█") + drawn.count("▒")) == (round(share.low * 100), round(share.high * 100))
    assert len(drawn) == 100


def test_what_is_missing_is_said_instead() -> None:
    blind = blind_migration()
    text = plain(head_lines(blind, (), 80))
    assert "\ncannot tell, needs a profile of its workers under load\n" in text
    assert text.endswith("at once: nodewright profile SERVICE")
    assert in_a_word(blind).plain == "? needs a profile"
    assert in_a_word(LOADED).plain == "candidate: L4"
    assert in_a_word(replace(LOADED, devices=())).plain == "no device to judge"


def test_the_best_verdict_is_looked_at_first() -> None:
    device = best(LLM)
    assert device is not None
    assert (LLM.devices[0].verdict, device.device) == ("does not fit", "H100")
    assert worth_a_look(LLM) == "H100"
    assert worth_a_look(replace(LLM, devices=LLM.devices[:1])) is None


@WIDTHS
def test_all_alternatives_are_on_one_scale_around_unchanged(width: int) -> None:
    prompts = alternative_prompts(LOADED, width)
    assert list(prompts) == ["here/batches", "L4", "H100", "T4"]
    drawn = [line for one in prompts.values() for line in one.plain.split("\n") if "●" in line[1:]]
    assert len(drawn) == 1 + 2 * 3
    scale = Scale.over([], width)
    middle = 12 + scale.cells // 2
    for device in LOADED.devices:
        rows = prompts[device.device].plain.split("\n")
        assert device.simulated is not None
        assert rows[1].index("●") > middle, "throughput is more"
        assert rows[2].index("●") < middle, "latency is less"
        assert rows[1].endswith(told(device.simulated.throughput))
        assert rows[2].endswith(told(device.simulated.latency))
    assert longest(list(prompts.values())) <= width


def test_a_device_is_told_with_what_binds_its_ceiling_memory_cost_and_that_nobody_measured_it() -> None:
    text = " · ".join(alternative_prompts(LOADED, 170)["L4"].plain.split("\n"))
    device = l4()
    assert device.simulated is not None
    assert device.costs is not None
    assert device.costs.break_even_per_second is not None
    for part in (
        "● L4  candidate · in this node · grade C",
        f"{device.simulated.binding} binds",
        f"×{device.ceiling:.3g} at most (Amdahl)",
        f"fits: {device.fit.need / 1e9:.3g} of {device.fit.free / 1e9:.3g} GB",
        f"cost ×{device.costs.ratio.p50:.3g}",
        f"pays from {device.costs.break_even_per_second.p50:.3g} /s",
        "not validated",
    ):
        assert part in text
    (h100,) = (one for one in LOADED.devices if one.device == "H100")
    assert h100.costs is not None
    assert pays_text(h100.costs) == "pays at no load"
    assert fit_text(LLM.devices[0].fit).startswith("split 22 of 32 layers: 21 of 16.1 GB")


def test_a_ceiling_that_says_nothing_is_left_out() -> None:
    assert ceiling_text(replace(l4(), ceiling=250.0)) == ""


@WIDTHS
@pytest.mark.parametrize("one", [LOADED, LLM], ids=["encoder", "language model"])
def test_a_page_fits_and_has_every_part(one: MigrationEstimate, width: int) -> None:
    for device in one.devices:
        rows = device_lines(device, one, width)
        text = " ".join(plain(rows).split())
        assert longest(rows) <= width + 20, "tables may give way to nothing: the page cuts them"
        for said in (*device.reasons, *device.flips, *one.assumes, device.note):
            assert " ".join(said.split()) in text.replace("· ", "")
    rows = way_lines(one.here[0], one, width)
    assert told(one.here[0].throughput) in plain(rows)
    assert f"×{one.here[0].ceiling:.3g} at most" in plain(rows)


def test_speed_terms_and_memory_are_the_documents() -> None:
    device = l4()
    seen = device.simulated
    assert seen is not None
    text = plain(speed_lines(device, 86))
    for found in (seen.throughput, seen.as_configured, seen.latency):
        assert told(found) in text
    assert f"a batch of {seen.batch}" in text
    assert "at most on it  " in text
    assert "requests/s" in text
    assert [line.split()[-2] for line in plain(term_lines(device)).split("\n")] == [
        f"{share * 100:.1f}" if 0 < share < 0.01 else f"{share * 100:.0f}" for share in seen.terms.values()
    ]
    assert fit_text(device.fit) in plain(memory_lines(device, 86))
    table = plain(smaller_lines(device, 86)).split("\n")[1:]
    assert [row.split()[:2] for row in table] == [[form.form, f"{form.need / 1e9:.3g}"] for form in device.alternatives]


def test_a_split_is_told_as_llama_cpp_counts() -> None:
    split = LLM.devices[0].split
    assert split is not None
    text = " ".join(plain(split_lines(split, 60)).split())
    assert f"{split.on_device} of {split.layers} layers" in text
    assert f"-ngl {split.on_device + 1} of llama.cpp" in text
    assert f"{told(split.against_host)} against none on it" in text


def test_costs_are_told_with_the_prices_that_they_rest_on_or_what_to_state() -> None:
    device = l4()
    costs = device.costs
    assert costs is not None
    text = " ".join(plain(cost_lines(device, LOADED, 86)).split())
    assert f"at this load {costs.at_load:.3g} {costs.at_load_moved.p50:.3g}" in text
    assert "this node 0.8 EUR an hour; with the device 1.2 EUR an hour" in text
    (t4,) = (one for one in LOADED.devices if one.device == "T4")
    assert plain(cost_lines(t4, LOADED, 86)) == 'not known; state in the configuration: hourly of [devices."T4"]'


def test_ratios_have_two_to_three_digits_and_no_exponent() -> None:
    assert [told(gain_of(replace(l4().costs.ratio, p10=p, p50=p, p90=p), "cost_ratio")) for p in  # type: ignore[union-attr]
            (0.0000123, 0.0123, 0.999, 1.234, 99.96, 999.9, 1234.5)] == [
        "×<0.0001", "×0.012", "×1", "×1.23", "×100", "×1000", "×1234",
    ]  # fmt: skip


def test_foreign_names_are_text() -> None:
    evil = "\x1b[31m[bold]x[/]\u202e"
    found = loaded_migration()
    hostile = replace(
        found, service=evil, left_out=(evil,), assumes=(evil,),
        devices=tuple(replace(one, device=evil, reasons=(evil,), flips=(evil,), note=evil) for one in found.devices[:1]),
    )  # fmt: skip
    rows = [
        *head_lines(hostile, (("load", evil),), 80), in_a_word(hostile), *alternative_prompts(hostile, 80).values(),
        *device_lines(hostile.devices[0], hostile, 80),
    ]  # fmt: skip
    text = plain(rows)
    assert text.count("[bold]x[/]") >= 6
    assert "\x1b" not in text
    assert "\u202e" not in text
