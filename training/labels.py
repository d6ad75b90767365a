"""The names that FER-2013 and FER+ use; training has no other list of them."""

from enum import IntEnum

# In the order that FER-2013 numbers them, 0 to 6.
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# What the class folders of other copies of FER-2013 are called.
FOLDER_ALIASES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}

# The vote columns of FER+'s fer2013new.csv, in its order; NF is "not a face".
FERPLUS_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)

# FERPLUS_TO_EXPRESSION[column] is the index in EXPRESSIONS of one of FER+'s first seven columns.
FERPLUS_TO_EXPRESSION = tuple(
    EXPRESSIONS.index(FOLDER_ALIASES.get(column, column)) for column in FERPLUS_COLUMNS[:7]
)


class Split(IntEnum):
    """The competition's `Usage`; TEST is both test splits in one, for copies that lost `Usage`."""

    TRAINING = 0
    PUBLIC_TEST = 1
    PRIVATE_TEST = 2
    TEST = 3

    @property
    def usage(self) -> str:
        """The name as the `Usage` column has it, such as PublicTest."""
        return self.name.title().replace("_", "")
