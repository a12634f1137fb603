"""A rendered human figure: body, pictures, light. The extra `figure` installs what it needs (anny, warp, torch).

body = load_body()
shape = body.shape({"gender": 0.9, "age": 0.7}, {})                 # once a person
posed = body.pose(shape, {"head": rotation}, {"jawOpen": 0.4})      # once a frame: 4 ms
view = look(Scene([Mesh("skin", posed.vertices, body.group("body"), chart)]), camera)
"""

from inference.figure.body import ADULT_AGE, Body, Posed, Shape, load_body
from inference.figure.mesh import Mesh
from inference.figure.picture import View, look
from inference.figure.rays import Camera, Scene

__all__ = ["ADULT_AGE", "Body", "Camera", "Mesh", "Posed", "Scene", "Shape", "View", "load_body", "look"]
