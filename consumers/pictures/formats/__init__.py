"""The four formats of pictures, by their parts: headers, ends, metadata; nothing is decoded."""
