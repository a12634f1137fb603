"""The HTML frame into which `dvc plots show` puts its plots: it carries Vega along, so that they need no network.

DVC's own frame loads three scripts from a CDN. This one has no place for them (`{scripts}`); `.dvc/config` names it.
"""

import vl_convert

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>Dramatis: plots</title>
<style>
  body { margin: 24px; font: 16px/1.5 system-ui, sans-serif; background: #fff; }
  body > div { display: inline-block; vertical-align: top; margin: 0 24px 24px 0; }
</style>
<script>
(() => {
%s
})();
</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def frame() -> str:
    """Write the frame with Vega, Vega-Lite and Vega-Embed inside (about 0.9 MB)."""
    return FRAME % vl_convert.javascript_bundle()
