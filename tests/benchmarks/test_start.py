"""The page of starts is made of the kept figures, and says which goals are missed."""

from benchmarks import start_page


def test_the_page_is_made_of_the_kept_figures() -> None:
    assert start_page.PAGE.read_text() == start_page.page(start_page.load()), (
        "run `python -m benchmarks.start_page`"
    )


def test_a_goal_that_is_missed_is_said() -> None:
    figures = start_page.load()
    for name, _, goal_s in start_page.STARTS:
        figures["starts"][name]["wall_least_s"] = goal_s
    assert "missed" not in start_page.page(figures)
    figures["starts"]["ready"]["wall_least_s"] = 6.01
    (line,) = [line for line in start_page.page(figures).splitlines() if "missed" in line]
    assert line.startswith("| `latentprint run`, until it has joined its group | 6 s | 6.01 s, ")
