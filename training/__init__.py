"""Trains the models that mien serves: FER-2013 -> Keras -> ONNX -> models/."""
