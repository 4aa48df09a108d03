"""Pages, plots, thumbnails and contact sheets: what programs show, in files that need no others."""
