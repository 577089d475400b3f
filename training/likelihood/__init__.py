"""Generators trained without a critic, so that not everything that is learned from is a GAN.

`vq_decoder` rebuilds photographs from quantised latents of a quarter of the side, `ddpm` draws by
denoising, `flow` by an invertible network. `learn` trains any of them and goes on where it stopped,
`eight_bits` halves their files, `models` knows them by name and loads what was trained.
"""
