"""The first recipe of the paper's table 2 without class weights.

Command:  python -m training.train training/configs/paper_proposed_short_unweighted.py --data FER2013.npz
          python -m training.export runs/paper_proposed_short_unweighted --data FER2013.npz
Budget:   20 epochs

All else is as in paper_proposed_short.py.
"""

from dataclasses import replace

from training.configs.paper_proposed_short import config as short

config = replace(short, class_weights=False)
