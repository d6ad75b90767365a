from training.labels import (
    EXPRESSIONS,
    FERPLUS_COLUMNS,
    FERPLUS_TO_EXPRESSION,
    FOLDER_ALIASES,
    Split,
)


def test_expressions_are_numbered_as_fer2013_numbers_them() -> None:
    assert dict(enumerate(EXPRESSIONS)) == {
        0: "angry",
        1: "disgust",
        2: "fear",
        3: "happy",
        4: "sad",
        5: "surprise",
        6: "neutral",
    }


def test_every_alias_names_an_expression_and_is_none_itself() -> None:
    assert set(FOLDER_ALIASES.values()) <= set(EXPRESSIONS)
    assert not set(FOLDER_ALIASES) & set(EXPRESSIONS)


def test_ferplus_columns_map_to_our_expressions() -> None:
    names = [EXPRESSIONS[index] for index in FERPLUS_TO_EXPRESSION]
    assert dict(zip(FERPLUS_COLUMNS, names, strict=False)) == {
        "neutral": "neutral",
        "happiness": "happy",
        "surprise": "surprise",
        "sadness": "sad",
        "anger": "angry",
        "disgust": "disgust",
        "fear": "fear",
    }


def test_splits_are_named_as_the_usage_column_names_them() -> None:
    assert [split.usage for split in Split] == ["Training", "PublicTest", "PrivateTest", "Test"]
