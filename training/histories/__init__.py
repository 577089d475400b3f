"""What photographs go through before they reach a platform, and how files then arrive.

pictures       resizing, tiles, rounding: what the others have in common
encodings      a picture written to a file and read back
resampling     reduced, enlarged, straightened
focus          sharpened, blurred, denoised
noise          noise of pixels, of sensors, of browsers and of film; demosaicing
colours        palettes, few bits a channel, contrast, CMYK
screens        chat cards, plain grounds, screenshots
prints         printed with a screen of dots, and scanned
earlier        files before this one: JPEG at any quality and offset, once and twice
damaged        files that lack some of their data, as bytes
history        the table HISTORIES of all of them by name, and of the damaged files
conditions     the table CONDITIONS: a picture to the bytes of the file that arrives
"""
