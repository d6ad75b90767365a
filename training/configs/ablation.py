"""What the ablations are compared with: expression_1_0.py's recipe on a smaller network.

A quarter of the size and a sixth of the epochs, so that nine of them take an hour on two cores:
they tell what a part of the recipe gives there, and no more.

Command:  python -m training.train training/configs/ablation.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs.expression_1_0 import config as release

config = replace(release, architecture={"widths": (32, 64, 128), "depths": (1, 1, 1)}, epochs=40)
