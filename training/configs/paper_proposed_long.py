"""The paper's network without balancing, for three times as many epochs.

Command:  python -m training.train training/configs/paper_proposed_long.py --data FER2013.npz
          python -m training.export runs/paper_proposed_long --data FER2013.npz
Budget:   300 epochs

All else is as in paper_proposed_unweighted.py.
"""

from dataclasses import replace

from training.configs.paper_proposed_unweighted import config as unweighted

config = replace(unweighted, epochs=300)
