"""The paper's network without any balancing (its section 3.4).

Command:  python -m training.train training/configs/paper_proposed_unweighted.py --data FER2013.npz
          python -m training.export runs/paper_proposed_unweighted --data FER2013.npz
Budget:   100 epochs; 7 minutes on an H200 that six runs share (KERAS_BACKEND=jax)

All else is as in paper_proposed.py; compare with it and with paper_proposed_oversampled.py.
"""

from dataclasses import replace

from training.configs.paper_proposed import config as proposed

config = replace(proposed, class_weights=False)
