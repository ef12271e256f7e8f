"""One HTML file to share: it loads nothing, opens from disk, prints, works without JavaScript. No torch for runs.

comparison   finished runs -> a document          diagnosis   a diagnosis -> a document
rows, settings, labels, gallery, origin   its parts: tables (of cells), pictures, and how to repeat it
document     sections of texts, tables, pictures, ...: plain data
render       a document -> HTML, by page.html, page.css and page.js
file         where it is written
"""
