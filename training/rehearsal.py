"""Everything that the report is made of, on a few images: it shows that all of it runs."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from training import audit
from training.config import TrainConfig, load_config
from training.dataset import Dataset
from training.export import compare
from training.folds import predict_out_of_fold
from training.published import CONFIGS, SYSTEMS, VARIANTS
from training.release import write_json
from training.train import solve, train

REHEARSED = 700  # images


def rehearse(dataset: Dataset, runs: Path) -> Dataset:
    """Audit and train everything on 700 images, one epoch each; returns these images.

    What an earlier rehearsal left in `runs` is removed: it would not be trained again.
    """
    shutil.rmtree(runs, ignore_errors=True)
    evenly = np.linspace(0, len(dataset) - 1, min(REHEARSED, len(dataset)))
    small = dataset.take(evenly.round().astype(np.int64))
    folded = replace(load_config(CONFIGS / "audit_fold.py"), epochs=1, warmup_epochs=0.0)
    out_of_fold = predict_out_of_fold(folded, small, 2, runs / "audit_folds")
    findings = audit.find(small, out_of_fold)
    (runs / "audit").mkdir(parents=True, exist_ok=True)
    audit.write_findings(findings, runs / "audit" / "findings.csv")
    write_json(runs / "audit" / "audit.json", audit.summary(small, findings, folds=True))

    rehearsed: dict[Path, TrainConfig] = {}
    systems = [system.config for system in SYSTEMS if system.config]
    variants = [config for configs in VARIANTS.values() for config in configs.values()]
    for name in dict.fromkeys([*systems, *variants]):
        config, folder = load_config(CONFIGS / f"{name}.py"), runs / name
        config = replace(
            config,
            epochs=1,
            warmup_epochs=0.0,
            batch_size=16,  # steps enough for batch normalisation's means,
            learning_rate=min(config.learning_rate, 0.01),  # which small batches need
            precision="float32",  # fast everywhere
        )
        if name not in systems:
            # The network was rehearsed already; what is new is how it is fed, to any network.
            config = replace(
                config,
                system="svm",
                architecture={},
                learning_rate=0.01,
                final_learning_rate_share=0.0,
            )
        if same := next((done for done, other in rehearsed.items() if other == config), None):
            shutil.copytree(same, folder)  # one epoch at one rate: nothing is left that differs
            continue
        data = small if config.cleaning == "none" else audit.clean(small, findings, config.cleaning)
        run = solve if config.optimizer == "liblinear" else train
        run(config, data, folder)
        compare(folder, small, folder / "model")
        rehearsed[folder] = config
    return small
