"""The parts of pre-training: options, streams, masking, objectives, engine, folder and card."""
