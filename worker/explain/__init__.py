"""One picture's verdict as a page that can be read: HTML, and the same as PNG.

What stands on it:

explanation    the verdict, and what it was made of, computed again as it was
held           a score among photographs, and the level that has to be passed
parts          the same scores of the picture's parts alone
kinds          what kind of picture it is, beside the photographs that it is judged by
degradation    how it arrived: codec, tables, an earlier JPEG
pixels         light and colour at large, the residual, the spectrum
words          outcome, rates, and what they do not say
document       all of it as JSON

How it is drawn:

shapes         drawings as lines, areas, texts and bitmaps, and the colours that they share
svg, raster    a drawing as SVG, or as pixels and PNG; the one module that knows Pillow
score_plots    scores against photographs, blocks, parts
picture_plots  the blurred picture, residual, spectrum, kind
sections       what the page shows, in its order
html_page      the sections as one file of HTML
png_page       the sections as one picture
"""
