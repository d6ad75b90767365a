"""The model card: prose that holds for every release, and figures read from its own metrics.json.

The form is that of Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv 1810.03993).
"""

import json
from pathlib import Path
from string import Template
from typing import Any

CARD = Template("""\
# $name $version

A convolutional network that tells which of seven expressions a face shows, as people who look at
the picture would name it: $labels. It was made by `$command` at commit `$commit`.

## Input and output

`model.onnx` (ONNX opset $opset) takes `image`, uint8 [N, 48, 48]: gray face crops, 0..255, framed
as in FER-2013 (hair line to chin, a little background). Normalisation is inside the graph.
`logits`, float32 [N, 7], are in the order above; probabilities are softmax(logits / $temperature),
the temperature fitted on PublicTest. `ferplus`, float32 [N, 8], are the logits of FER+'s classes
(neutral, happiness, surprise, sadness, anger, disgust, fear, contempt); the service does not use
them. A confidence under $uncertain_below should be read as "uncertain": on PublicTest, nine of ten
predictions are right from there on.

$parameters parameters, $macs million multiply-accumulates a crop, trained for $epochs epochs.

## How good it is

One crop, one network, no test-time augmentation unless said otherwise. PublicTest served to choose
and to calibrate; PrivateTest was looked at once, for this table.

$figures

Recall by class on PrivateTest:

$recall

Confusion matrix on PrivateTest (rows: the label, columns: the prediction):

$confusion

For comparison: people agree with FER-2013's labels in about 65 % of the cases (Goodfellow et al.
2013), and one of FER+'s raters agrees with the plurality of the other nine in 74.7 %. A difference
of less than 1.1 points between two networks on one of these splits is noise.

## Data

FER-2013 (Goodfellow et al. 2013, arXiv 1307.0414): web images found by emotion words and labelled
by few people. Labels are noisy, "disgust" is rare, some images show no face or a cartoon. Training
images whose pixels also stand in a test split were left out. FER+ (Barsoum et al. 2016,
arXiv 1608.01041, MIT licence): ten raters' votes on the same images, used as a second target.
FER-2013 was published for research; its images belong to their owners, and none is included here.
The weights are released under the Apache License 2.0.

## What it is for, and what it is not for

For studying and building software that reacts to the look of a face, where people know of it and
agree: photo search, accessibility, art, games, research on the method itself.

Not for deciding anything about a person: hiring, school, work, policing, borders, insurance,
credit, health, or finding lies. A face shows what it shows; that a person feels it does not follow
(Barrett et al. 2019, doi 10.1177/1529100619832930). In the European Union, inferring emotions at
work and in education is prohibited (AI Act, Article 5(1)(f)), and whoever uses such a system
elsewhere must tell the people it looks at (Article 50(3)). A face picture is personal data under
the GDPR.

## What is not known

The data set says nothing about age, gender, skin colour or origin, so no claim of fairness can be
made, and studies of such data find large gaps between groups. Nothing here was measured on other
data sets, on video, or on faces in masks.
""")


def write_card(folder: Path) -> None:
    """Write MODEL_CARD.md from the folder's config.json and metrics.json."""
    config = json.loads((folder / "config.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    training, private = metrics["training"], metrics["splits"]["PrivateTest"]
    card = CARD.substitute(
        {key: config[key] for key in ("name", "version", "command", "commit", "opset")},
        labels=", ".join(config["labels"]),
        temperature=config["temperature"],
        uncertain_below=config["uncertain_below"],
        parameters=f"{training['parameters']:,}",
        macs=f"{training['macs'] / 1e6:.1f}",
        epochs=training["epochs"],
        figures=_figures(metrics["splits"]),
        recall=_table(list(private["recall"]), [[_percent(v) for v in private["recall"].values()]]),
        confusion=_table(
            ["", *config["labels"]],
            [
                [label, *row]
                for label, row in zip(config["labels"], private["confusion"], strict=True)
            ],
        ),
    )
    (folder / "MODEL_CARD.md").write_text(card)


def _figures(splits: dict[str, Any]) -> str:
    columns = [
        "split", "images", "accuracy", "95 %", "with flip", "balanced", "macro F1",
        "NLL", "Brier", "ECE-15", "FER+ majority",
    ]  # fmt: skip
    rows = []
    for name, figures in splits.items():
        low, high = figures["accuracy_interval_95"]
        ferplus = figures.get("ferplus_majority_accuracy")
        rows.append(
            [
                name,
                figures["images"],
                _percent(figures["accuracy"]),
                f"{_percent(low)} .. {_percent(high)}",
                _percent(figures["accuracy_with_flip"]),
                _percent(figures["balanced_accuracy"]),
                _percent(figures["macro_f1"]),
                f"{figures['nll']:.3f}",
                f"{figures['brier']:.3f}",
                f"{figures['ece_15']:.3f}",
                "" if ferplus is None else _percent(ferplus),
            ]
        )
    return _table(columns, rows)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _table(columns: list[str], rows: list[list[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
