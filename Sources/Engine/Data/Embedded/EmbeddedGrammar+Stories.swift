extension EmbeddedGrammar {
  /// Short stories: each has a cast, a place, a trouble, an attempt and an end that belong together.
  static let stories = """
    = story
    <opening> <lost>~~<end>
    <opening> <share>~~<end>
    <opening> <rescue>~~<end>
    <opening> <build>~~<end>
    <opening> <fear>~~<end>
    <opening> <gift>~~<end>
    <opening> <storm>~~<end>
    <opening> <race>~~<end>

    = opening
    Once upon a time there was a <nature> $person.child named $person. ^$person.he lived near $place with
      $person.his family.
    In a small house near $place lived a $person.child called $person. Everybody knew that $person was
      <nature>.
    One <season> <hour> $person went $place.to. <weather>, and $person.he felt <glad>.
    There once was a $person.child whose name was $person. Every <day>, $person walked $place.to.
    $person was a <nature> $person.child. <weather>, so $person.he went $place.to to play.
    It was <day> <hour>. <weather>. $person sat $place.at and thought about $person2.

    = lost
    <lostTrouble>~~<lostSearch> <lostHelp>~~<lostFound>

    = lostTrouble
    But that day $person.he could not find $person.his $color $toy. "Where is my $toy?" $person.he said.
      ^$person.he was <sad>.
    ^$person.his $color $toy was gone! $person had played with it $place.at, and now it was not there.
    On the way home $person lost $person.his $color $toy. It was a gift from $elder, and $person was <sad>.

    = lostSearch
    ^$person.he looked in $room, and @ <size> spider looked back, but there was no $toy.
    First $person.he looked in $room. Then $person.he looked $spot. There was no $toy at all.
    ^$person.he searched $spot and in $room, but the $toy was not there.
    "Did you look in $room?" asked $elder. "Yes," said $person, "and it is not there."

    = lostHelp
    Then $person.he met @ <size> $animal. "I can help you," said the $animal. It $animal.skill.
    ^@ $animal came out of the grass. "Why are you so sad?" asked the $animal. "I lost my $toy," said $person.
    ^$person2 came by. "Let us look together," said $person2. So $person and $person2 went back $place.to.
    $person asked $elder. "Think, $person," said $elder. "Where did you play last?" "I played $place.at," said
      $person.

    = lostFound
    And there, $place.at, lay the $color $toy! $person picked it up and laughed. "Thank you," $person.he said.
    They found the $toy $place2.at, wet but whole. $person held it with both hands. ^$person.he was <glad>.
    At last $person.he saw something $color near $place2. It was the $toy! "I will never lose it again," said
      $person.

    = share
    <shareTrouble>~~<shareTalk>~~<shareTurn>

    = shareTrouble
    $person had @ <look> $toy. $person2 wanted to play with it too, but $person said no.
    $person and $person2 found @ <look> $toy $place.at. "It is mine," said $person. "No, it is mine," said
      $person2.
    [a=3..9]$person had #a.w $food.many and $person2 had none. $person2 was hungry, but $person hid the
      $food.many $spot.

    = shareTalk
    ^$elder saw them and sat down. "You are friends," said $elder. "What do friends do?" $person looked at the
      ground.
    "That is not fair," said $person2, and $person2.he went home. Now $person was alone. It was no fun to be
      alone.
    Then the rain came. $person was <sad>. "I should have been kind to $person2," $person.he thought.

    = shareTurn
    The next <hour> $person went to $person2. "I am sorry," $person.he said. "Let us share." $person2 was
      <glad>.
    "You may have it first," said $person. $person2 smiled at $person.him. "Then we take turns," said
      $person2.
    So $person gave half of it all to $person2. They sat $place2.at and talked until the sun went down.

    = rescue
    <rescueTrouble>~~<rescueAct>~~<rescueReturn>

    = rescueTrouble
    Suddenly $person.he heard a cry. ^@ <size> $animal had fallen into a hole and could not get out.
    There $person.he saw @ $animal. Its foot was caught between two stones, and it was <sad>.
    ^@ <look> boat drifted on the water, and in the boat sat @ <size> $animal. "Help!" it cried.

    = rescueAct
    "Do not be afraid," said $person. ^$person.he took a long branch and held it out. Slowly, slowly, the
      $animal was free.
    $person ran to $elder. "Come quickly!" $person.he called. Together they pulled until the $animal was safe.
    $person thought for a while. Then $person.he tied $person.his scarf to a tree and pulled the $animal out.

    = rescueReturn
    "I will not forget this," said the $animal. It lived $animal.home. When $person lost the way that
      <season>, the $animal led $person.him home.
    The $animal $animal.skill. From that day it came to see $person every <day>.
    $person gave the $animal some <food.many>. It ate and ate, and then it slept $animal.home.

    = build
    <buildPlan>~~<buildFail> <buildAgain>~~<buildDone>

    = buildPlan
    $person wanted to make @ $color $toy for $person2. "I need wood, paper and glue," $person.he said.
    "Let us build @ $toy," said $person2. $person was <glad>, and they began to work $place.at.
    [a=4..12]$person found #a.w <thing.many> and had an idea. "I will make @ $toy," $person.he said.

    = buildFail
    The first $toy broke. $person was <sad>.
    At first nothing went well. The paper was torn and the glue was dry.
    But the wind blew it down, and everything lay on the ground.
    $person2 laughed and said, "That does not look like @ $toy!"

    = buildAgain
    "Try again," said $elder. "Nobody gets it right the first time."
    So $person.he began again, and this time $person.he worked slowly.
    "I will not give up," said $person. ^$person.he tried a second time, and then a third time.

    = buildDone
    At last the $toy was ready. It was $color and <look>, and it was better than all the <toy.many> in the
      shop.
    When the $toy was done, everybody came $place.to to see it. "Who made this?" asked $elder. "I did," said
      $person.
    $person gave the $toy to $person2. "It is the best $toy in the world," said $person2.

    = fear
    <fearTrouble>~~<fearHelp>~~<fearBrave>

    = fearTrouble
    $person had one secret: $person.he was afraid of the dark. At night $person.he did not want to go into
      $room.
    $person was afraid of deep water. When the others swam, $person.he stayed $place.at and watched them.
    Every night there was a strange sound in $room. "Is it a ghost?" whispered $person.

    = fearHelp
    "I was afraid too when I was young," said $elder. "Take my hand, and we will go together."
    $person2 knew what to do. "Take this $color lamp," said $person2. "I will be right behind you."
    ^@ <size> $animal sat in the moonlight. "There is nothing to fear," said the $animal. "I live
      $animal.home, and I see everything."

    = fearBrave
    $person took one step, and then another. Nothing bad happened. "I did it!" $person.he cried. ^$person.he
      was <glad>.
    And what did they find? Only @ <size> $animal2, which was more afraid than $person. They both laughed.
    From that night on, $person was not afraid. ^$person.he even helped $person2 to be brave.

    = gift
    <giftPlan>~~<giftMarket>~~<giftGive>

    = giftPlan
    It was almost the birthday of $person2. "What can I give $person2.him?" thought $person.
    ^$elder was ill and lay in bed. "I will bring a gift," said $person.
    $person wanted to thank $elder, who had always been <nature>.

    = giftMarket
    [a=2..6][b=3..9][c=a+b]At the market $person.he bought #a.w $food.many and #b.w $food2.many. Now
      $person.he had #c.w things in $person.his basket.
    [a=6..12][b=2..a-2][c=a-b]$person had #a.w coins. ^@ $look $toy cost #b.w coins, so $person.he had #c.w
      coins left.
    $person had no money, but $person.he picked the most beautiful flowers $place.at, and tied them with @
      $color ribbon.

    = giftGive
    "This is for you," said $person. There were tears and smiles. "It is the best gift of all," was the
      answer.
    And when the door opened, $person sang a song. Everybody clapped, and they ate <food.many> together.
    On the table stood a card. It said: "With love from $person."

    = storm
    <stormTrouble>~~<stormShelter>~~<stormAfter>

    = stormTrouble
    Then the wind grew strong and the rain began to fall. $person could not see the way home anymore.
    A storm came over the hills. "We must find a dry place," said $person2, who was with $person.him.
    It grew dark, and there was thunder. $person began to run, but the path was wet and $person.he fell.

    = stormShelter
    ^$elder stood at a door with @ $color lamp. "Come in and sit by the fire," said $elder. There were warm
      $food.many on the table.
    Under an old tree sat @ <size> $animal. "There is room for all of us here," said the $animal. They sat
      close together and told stories.
    ^$person.he found a hut $place2.at. Inside it was dry, and there was @ <look> bed with @ $color blanket.

    = stormAfter
    In the morning the sky was clear. $person said thank you and went home. ^$person.his family was <glad>.
    When the rain stopped, there was a rainbow over $place. "How beautiful!" said $person.
    "Were you not afraid?" asked $person2 the next day. "A little," said $person, "but I was not alone."

    = race
    <racePlan>~~<raceRun>~~<raceEnd>

    = racePlan
    "I am faster than you," said $person2. "We will see," said $person. "Let us run $place2.to."
    There was a race that <day>. $person and $person2 and even @ $animal wanted to win the $color $toy.
    [a=3..12]^#a.w children came to the big race. $person stood beside $person2 and waited for the sign.

    = raceRun
    One, two, three! At first $person2 was in front. Then $person2.he looked back and fell over a stone.
    They ran as fast as they could. $person was tired, but $person.he did not stop.
    $person saw that $person2 had hurt $person2.his foot. ^$person.he stopped and went back to help
      $person2.him.

    = raceEnd
    In the end they came in together, hand in hand, and everybody clapped.
    "You have won," said $person2, "and you have won well." $person gave $person2.him half of @ $food.
    Nobody knows who won. But $person and $person2 laughed about it until the <hour>.

    = end
    3* That night $person slept well.
    3* And $person was <glad> for the rest of the day.
    2* And so $person learned that <lesson>.
    2* From then on, $person and $person2 were the best of friends.
    2* "<moral>" said $elder, and $person nodded.
    The end.

    = moral
    Remember, <lesson>, / You see, <lesson>, / Now you know that <lesson>,
    """
}
