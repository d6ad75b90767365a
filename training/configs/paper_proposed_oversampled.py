"""The paper's network, classes balanced by oversampling (its section 3.4).

Command:  python -m training.train training/configs/paper_proposed_oversampled.py --data FER2013.npz
          python -m training.export runs/paper_proposed_oversampled --data FER2013.npz
Budget:   100 epochs; 7 minutes on an H200 that six runs share (KERAS_BACKEND=jax)

Each class is drawn equally often, with replacement, in epochs of the same length. All else is as in
paper_proposed.py, which has class weights instead.
"""

from dataclasses import replace

from training.configs.paper_proposed import config as proposed

config = replace(proposed, class_weights=False, oversampling=True)
