"""The page about the size of a registry is what its results say."""

from copy import deepcopy

from benchmarks import registry_page


def test_the_page_is_made_of_the_newest_results() -> None:
    written = registry_page.PAGE.read_text(encoding="utf-8")
    assert written == registry_page.page(registry_page.load())


def test_what_misses_a_goal_is_said_to() -> None:
    results = deepcopy(registry_page.load())
    every = [one for run in results for one in run["registries"]]
    largest = max(every, key=lambda one: int(one["models"]))
    largest["match_of_batch"] = 0.21
    largest["change_cpu_ms"], largest["follower_cpu_ms"] = 19.0, 3.0
    text = registry_page.page(results)
    assert "| of a CPU batch | at most 20 % | 21 % | missed |" in text
    assert "| of a core at a change a second | at most 2 % | 1.9 % | met |" in text


def test_the_floor_and_a_machine_without_the_instruction_are_told() -> None:
    results = deepcopy(registry_page.load())
    every = [one for run in results for one in run["registries"]]
    largest = max(every, key=lambda one: int(one["models"]))
    largest["floor"] = {"bytes": 98 << 20, "reading_cpu_ms": 3.3, "products_cpu_ms": 14.5}
    slow = {"models": 10_000, "match_cpu_ms": 41.23, "match_of_batch": 0.3}
    for run in results:
        run["without_vnni"] = [slow]
    text = registry_page.page(results)
    assert "reads 98 MiB, which takes 3.3 ms" in text
    assert "two queries an image, which takes 14.5 ms" in text
    assert (
        text.count("of 10,000 models matching and verdicts take 41.2 ms a batch there, 30 %") == 1
    )


def test_a_change_costs_what_the_thread_that_follows_used_at_least() -> None:
    results = deepcopy(registry_page.load())
    every = [one for run in results for one in run["registries"]]
    largest = max(every, key=lambda one: int(one["models"]))
    largest["change_cpu_ms"], largest["follower_cpu_ms"] = 3.6, 31.0
    text = registry_page.page(results)
    assert "| of a core at a change a second | at most 2 % | 3.1 % | missed |" in text
