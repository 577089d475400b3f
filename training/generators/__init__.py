"""Made pictures by family: what is learned from, and whole families that nothing learns from.

`catalogue.generators(role)` lists them all; `roles` says by a hash which families are held out,
and `generator` is what each of them looks like. A generator that does not draw from noise makes its
pictures from photographs, which `squares` cuts.

Simulated families, each with hundreds of members: `simulated` draws a member and renders a picture,
`upsampling` and `latents` hold what the families differ in, `traces` the layers with drawn weights
that all of them have, `sharpness` keeps the output as sharp as the photograph.

Networks over photographs: `network_list` names them and what each is fed, `super_resolution` runs
them tile by tile, those of another format by `keras_graph`.

Trained GANs of training/zoo stand in `gans`, and what is trained without a critic
(training/likelihood) in `trained`.
"""
