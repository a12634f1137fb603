"""What the page shows, as conf/training/report.yaml says."""

from pydantic import Field

from scraping import stage


class Films(stage.Settings):
    count: int = Field(ge=0)  # of held-out songs
    seconds: float = Field(gt=0)  # of each


class Settings(stage.Settings):
    """The stage's settings."""

    corpora: dict[str, str]  # by name, in the order of the page, what its people are called
    pairs: int = Field(ge=1)  # before/after pictures a corpus
    rejects_a_reason: int = Field(ge=0)
    sources: int = Field(ge=1)  # rows of the table of sources
    thumbnail: int = Field(ge=16)  # height, pixels
    avatars: int = Field(ge=1)  # people shown first: seeds 1 to this, none left out
    truncation: float = Field(ge=0, le=1)
    samples: int = Field(ge=2)  # grids over training
    sample_edge: int = Field(ge=64)  # longest side of such a grid, pixels
    mixed: int = Field(ge=2)  # rows and columns of the crossover matrix
    directions: int = Field(ge=1, le=16)
    sigmas: list[float]  # columns of the slider sheets
    nearest: int = Field(ge=0)  # avatars shown beside their nearest training pictures
    dances: int = Field(ge=1)  # true ones shown as a row of poses
    films: Films
