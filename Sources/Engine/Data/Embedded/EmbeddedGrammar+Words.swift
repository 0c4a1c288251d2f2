extension EmbeddedGrammar {
  /// Words with their forms; a variable such as `$animal` keeps its word for a whole document.
  static let words = """
    = person he him his child caps
    Anna|she|her|her|girl|ANNA / Mia|she|her|her|girl|MIA / Clara|she|her|her|girl|CLARA
    Rosa|she|her|her|girl|ROSA / Nina|she|her|her|girl|NINA / Emma|she|her|her|girl|EMMA
    Sofia|she|her|her|girl|SOFIA / Lily|she|her|her|girl|LILY / Amina|she|her|her|girl|AMINA
    Yuki|she|her|her|girl|YUKI / Hanna|she|her|her|girl|HANNA / Zoe|she|her|her|girl|ZOE
    Tom|he|him|his|boy|TOM / Ben|he|him|his|boy|BEN / Leo|he|him|his|boy|LEO
    Max|he|him|his|boy|MAX / Sam|he|him|his|boy|SAM / Omar|he|him|his|boy|OMAR
    Paul|he|him|his|boy|PAUL / Finn|he|him|his|boy|FINN / Jonas|he|him|his|boy|JONAS
    Ravi|he|him|his|boy|RAVI / Hugo|he|him|his|boy|HUGO / Theo|he|him|his|boy|THEO

    = elder he him his caps
    grandmother|she|her|her|GRANDMOTHER / grandfather|he|him|his|GRANDFATHER / the baker|he|him|his|BAKER
    the teacher|she|her|her|TEACHER / the gardener|he|him|his|GARDENER / the doctor|she|her|her|DOCTOR
    the farmer|she|her|her|FARMER / the fisherman|he|him|his|FISHERMAN

    = animal many skill home
    fox|foxes|could run without a sound|under the old oak / bird|birds|could fly over the hills|in a high nest
    dog|dogs|could smell a bone a mile away|in a warm basket / cat|cats|could see in the dark|on the window
      sill
    mouse|mice|could slip through any hole|behind the wall / rabbit|rabbits|could hear a leaf fall|in a deep
      hole
    frog|frogs|could jump over a log|in the green reeds / owl|owls|could turn its head all the way|in a hollow
      tree
    horse|horses|could carry two riders|in a dry stable / duck|ducks|could swim across the lake|by the water
    squirrel|squirrels|could climb any tree|in the tall pine / turtle|turtles|could carry its house|on a flat
      stone
    goat|goats|could stand on a narrow rock|behind the barn / hedgehog|hedgehogs|could roll into a ball|in the
      dry leaves

    = place at to
    the garden|in the garden|to the garden / the forest|in the forest|to the forest
    the market|at the market|to the market / the river|by the river|to the river
    the village|in the village|to the village / the lake|by the lake|to the lake
    the hill|on the hill|to the hill / the school|at the school|to the school
    the beach|on the beach|to the beach / the mill|at the mill|to the mill
    the meadow|in the meadow|to the meadow / the harbor|at the harbor|to the harbor
    the library|in the library|to the library / the old bridge|under the old bridge|to the old bridge

    = toy many
    ball|balls / kite|kites / drum|drums / boat|boats / doll|dolls / train|trains / lamp|lamps / key|keys
    whistle|whistles / hat|hats / book|books / umbrella|umbrellas / basket|baskets / ring|rings

    = food many
    apple|apples / pear|pears / plum|plums / cake|cakes / cookie|cookies / carrot|carrots / egg|eggs
    orange|oranges / potato|potatoes / nut|nuts / cherry|cherries / pancake|pancakes

    = thing many
    stone|stones / shell|shells / marble|marbles / flower|flowers / pencil|pencils / button|buttons
    leaf|leaves / star|stars / candle|candles / feather|feathers / coin|coins / stamp|stamps

    = color
    red / blue / green / yellow / white / black / brown / golden / silver

    = size
    small / big / tiny / large / little / huge

    = look
    old / new / pretty / plain / shiny / wooden / soft / strange

    = glad
    happy / glad / proud / full of joy / very pleased

    = sad
    sad / worried / tired / afraid / upset / lonely

    = nature
    kind / brave / clever / quiet / curious / cheerful / patient / careful

    = weather
    The sun was shining / A soft rain was falling / The wind was cold / The sky was blue and clear
    Snow lay on the roofs / There was fog over the fields / The air was warm / Dark clouds hung in the sky

    = weatherNow
    The sun is shining / A soft rain is falling / The wind is cold / The sky is blue and clear
    Snow lies on the roofs / There is fog over the fields / The air is warm / Dark clouds hang in the sky

    = day
    Monday / Tuesday / Wednesday / Thursday / Friday / Saturday / Sunday

    = hour
    morning / afternoon / evening

    = season
    spring / summer / autumn / winter

    = room
    the kitchen / the attic / the cellar / the hall / the bedroom

    = spot
    under the bed / behind the door / on the high shelf / beside the stove / in the big chest
    between two chairs / near the window / inside an old boot

    = lesson
    a friend in need is worth more than gold / small hands can do great things
    it is never too late to say sorry / those who share are never alone
    a promise must be kept / every hard road begins with one step
    even the smallest voice can be heard / good things take time

    = spelled letters
    cat|c, a, t / dog|d, o, g / house|h, o, u, s, e / tree|t, r, e, e / water|w, a, t, e, r
    bread|b, r, e, a, d / night|n, i, g, h, t / school|s, c, h, o, o, l / friend|f, r, i, e, n, d
    green|g, r, e, e, n / river|r, i, v, e, r / mother|m, o, t, h, e, r / garden|g, a, r, d, e, n
    apple|a, p, p, l, e / winter|w, i, n, t, e, r / letter|l, e, t, t, e, r / happy|h, a, p, p, y

    = opposite other
    big|small / hot|cold / day|night / old|new / up|down / near|far / fast|slow / dry|wet
    light|dark / open|closed / early|late / full|empty / soft|hard / left|right / happy|sad

    = fact answer
    What do bees make?|Bees make honey. / What color is the grass?|The grass is green.
    What do cows eat?|Cows eat grass. / Where do fish live?|Fish live in the water.
    When do the stars shine?|The stars shine at night. / What falls from dark clouds?|Rain falls from dark
      clouds.
    What does a baker bake?|A baker bakes bread. / How many days has a week?|A week has seven days.
    How many legs has a spider?|A spider has eight legs. / What comes after summer?|After summer comes autumn.
    What do we read?|We read books. / What melts in the sun?|Snow melts in the sun.
    Where does the sun rise?|The sun rises in the east. / What do birds build?|Birds build nests.
    What keeps us dry in the rain?|An umbrella keeps us dry in the rain. / What is frozen water?|Frozen water
      is ice.
    How many months has a year?|A year has twelve months. / What do hens lay?|Hens lay eggs.
    What does a clock show?|A clock shows the time. / What do we cut with?|We cut with a knife.
    """
}
