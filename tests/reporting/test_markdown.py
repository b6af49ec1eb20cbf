from biogpt_onnx.reporting.markdown import table


def test_the_first_column_is_text_and_the_others_are_numbers() -> None:
    assert table(["", "F1"], [["model", "1"], ["baseline", "2"]]).splitlines() == [
        "|  | F1 |",
        "| --- | ---: |",
        "| model | 1 |",
        "| baseline | 2 |",
    ]


def test_a_bar_in_a_cell_does_not_begin_another_column() -> None:
    assert table(["a|b"], [["c|d"]]).splitlines() == ["| a\\|b |", "| --- |", "| c\\|d |"]
