"""What simulated rows choose from: names, breeds, sentences, and how often a field is filled."""

from __future__ import annotations

NAMES = tuple(
    """Acorn Apricot Basil Bean Biscuit Blossom Bramble Button Cedar Chai Cinder Clover Cobbler
    Comet Copper Cricket Dahlia Dapple Dumpling Ember Fennel Fig Flint Freckle Ginger Gizmo Hazel
    Honey Iris Jasper Juniper Kestrel Kiwi Laurel Lentil Lucky Maple Marlow Meadow Mochi Moss Nettle
    Nimbus Nougat Nutmeg Olive Opal Otter Paprika Peaches Pebble Pepper Pickle Pippin Poppy Quill
    Raisin Rascal Rhubarb Saffron Sage Scout Shadow Smudge Sorrel Sprout Tango Teasel Thistle Tinker
    Truffle Waffles Whisper Willow Yarrow Ziggy Zinnia""".split()  # noqa: SIM905 - easier to add to
)
ODD_NAMES = (
    "{name} &amp; {other} (bonded pair)",
    "{name} \N{PAW PRINTS}",
    "{name}  ",
    "{name} - COURTESY POST - please read everything before you write to us!!",
    "READ FIRST - how our adoptions work",
    "Kittens coming soon 20+!",
    "{name} \u00e2\u20ac\u0153the clown\u00e2\u20ac\u009d",
    "Zo\u00eb {name}",
)
SPECIES = (("Dog", 50), ("Cat", 44), ("Rabbit", 2), ("Guinea Pig", 2), ("Bird", 1), ("Horse", 1))
BREEDS = {
    "Dog": (
        "Labrador Retriever", "Beagle", "Boxer", "Chihuahua", "German Shepherd Dog", "Hound",
        "Australian Cattle Dog", "Dachshund", "Border Collie", "Poodle", "Terrier", "Akita",
    ),
    "Cat": (
        "Domestic Short Hair", "Domestic Medium Hair", "Domestic Long Hair", "Siamese", "Tabby",
        "Maine Coon", "Calico", "Tuxedo",
    ),
    "Rabbit": ("Lionhead", "Mini Rex", "Dutch", "New Zealand"),
    "Guinea Pig": ("Abyssinian", "American"),
    "Bird": ("Parakeet (Other)", "Cockatiel", "Conure"),
    "Horse": ("Quarterhorse", "Thoroughbred", "Pony - Other"),
}  # fmt: skip
YES_NO = ("Yes", "No")
LEVELS = ("Low", "Moderate", "High")

PET_FILLS: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    ("sex", 0.98, ("Male", "Female")),
    ("age", 0.95, ("Baby", "Young", "Adult", "Senior")),
    ("size", 0.85, ("Small", "Medium", "Large", "X-Large")),
    ("altered", 0.75, YES_NO),
    ("uptodate", 0.70, ("Yes", "Yes", "Yes", "No")),
    ("color", 0.60, ("Black", "White", "Brown/Chocolate", "Tan", "Orange", "Gray", "Tricolor")),
    ("coatLength", 0.50, ("Short", "Medium", "Long")),
    ("pattern", 0.25, ("Tabby", "Brindle", "Merle", "Spotted", "Bicolor")),
    ("dogs", 0.45, YES_NO),
    ("cats", 0.35, YES_NO),
    ("kids", 0.40, YES_NO),
    ("housetrained", 0.45, YES_NO),
    ("declawed", 0.60, ("No", "No", "No", "Yes")),
    ("specialNeeds", 0.95, ("No", "No", "No", "No", "Yes")),
    ("killReason", 0.01, ("Space", "Owner request")),
)
CLUMPED_FILLS: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    ("obedienceTraining", 0.4, ("Needs Training", "Has Basic Training", "Well Trained")),
    ("ownerExperience", 0.3, ("None", "Species", "Breed")),
    ("exerciseNeeds", 0.4, LEVELS),
    ("energyLevel", 0.5, LEVELS),
    ("groomingNeeds", 0.4, LEVELS),
    ("fence", 0.2, ("Not required", "3 foot", "6 foot", "Any type")),
    ("shedding", 0.3, ("None", "Low", "Moderate", "High")),
    ("newPeople", 0.4, ("Friendly", "Cautious", "Protective")),
    ("vocal", 0.4, ("Quiet", "Some", "Lots")),
    ("activityLevel", 0.4, ("Not Active", "Slightly Active", "Moderately Active", "Highly Active")),
    ("earType", 0.2, ("Cropped", "Droopy", "Erect", "Rose")),
    ("eyeColor", 0.2, ("Brown", "Gold", "Green", "Blue", "Mixed")),
    ("tailType", 0.2, ("Long", "Short", "Curled", "Docked")),
)
STATUSES = ("Hold", "Pending", "Adopted")

PICTURE_COUNTS = (
    ((0,), 3), ((1,), 30), ((2,), 18), ((3,), 16), ((4,), 14), ((5,), 8), (range(6, 11), 10),
    (range(11, 26), 1),
)  # fmt: skip
PICTURE_SIZES = (
    ((640, 480), 30), ((480, 640), 12), ((650, 650), 20), ((800, 600), 14), ((960, 720), 10),
    ((720, 960), 6), ((1200, 900), 5), ((1600, 1200), 2), ((4032, 3024), 1),
)  # fmt: skip

SENTENCES = (
    "NAME came to us in a cardboard box and has not stopped purring, wagging or snoring since.",
    "Mornings start with a slow stretch, a loud breakfast and a tour of every window.",
    "We think a calm house with a soft chair would suit NAME best.",
    "So far no shoe has been harmed.",
    "NAME walks politely past squirrels on most days, and we are working on the other days.",
    "All shots are done, the chip is in, and the paperwork is waiting for a signature.",
    "The foster family calls this one the little engineer: every door gets opened in the end.",
    "Our adoption fee covers the surgery, the vaccines and a first visit at the vet.",
    "NAME shares a room with two older animals and lets them eat first.",
    "A fenced yard would be lovely, a patient human is required.",
    "Rainy days are for naps, sunny days are for longer naps.",
    "Please tell us about your home, your hours and the animals you already have.",
    "NAME weighs next to nothing and still takes up the whole bed.",
    "Loud noises are scary, but a hand to lean on makes them smaller.",
    "The favourite toy is a knotted sock; the second favourite is the other sock.",
    "We answer every application, usually within a week.",
    "NAME was found at the edge of a field and is making up for it with enthusiasm.",
    "Meets children best when they sit down first.",
    "Can be adopted alone or together with a brother from the same litter.",
    "There is no better listener in the whole building.",
    "NAME takes a small pill with dinner and never notices.",
    "House manners are good, kitchen manners are a work in progress.",
    "Transport to neighbouring states can be arranged on alternate weekends.",
    "A trial week is possible, and almost nobody brings NAME's friends back.",
)
CITIES = (
    ("Aldenville", "PA", "18401"), ("Birch Falls", "Tx", "75001"), ("Cold Spring", "MN", "56320"),
    ("Dover Mills", "OH", "45305"), ("Elm Harbor", " tx ", "78701"), ("Fern Hollow", "CA", "92121"),
    ("Grand Bay", "AL", "36541"), ("Holyoke Pond", "MA", "01040"), ("Iron Hills", "ON", "K1A 0B1"),
    ("Juniper Flats", "co", "80433"), ("Keene Valley", "NY", "12943"), ("Larkspur", "T", "37201"),
)  # fmt: skip
ORG_NAMES = ("Paws", "Tails", "Second Chance", "Whiskers", "Safe Harbor", "Four Feet", "Old Barn")
ORG_KINDS = ("Rescue", "Animal Shelter", "Humane Society", "Foster Network, Inc.", "Haven &amp; Co")
