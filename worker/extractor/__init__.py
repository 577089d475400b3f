"""From crops to an image fingerprint: the network, its bundle, and the batched extraction."""
