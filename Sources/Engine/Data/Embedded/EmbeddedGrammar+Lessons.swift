extension EmbeddedGrammar {
  /// Everything else: plays, sums that are right, questions with answers, letters, recipes, verses.
  static let lessons = """
    = document
    9* <story>
    3* <play>
    3* <sums>
    2* <questions>
    1* <letter>
    1* <recipe>
    1* <verse>

    = play
    <playMeet>~~<playMiddle>~~<playEnd>
    <playMeet>~~<playMiddle>~~<playMore>~~<playEnd>

    = playMeet
    $person.caps:~Good <hour>, $person2. Where are you going?~~$person2.caps:~
      I am going $place.to. Will you come with me?
    $person.caps:~Who is there? I hear a step $place.at.~~$person2.caps:~
      Do not be afraid. It is I, your friend $person2.
    $person.caps:~$person2, have you seen my $color $toy?~~$person2.caps:~
      I have not seen it. Did you ask $elder?
    $elder.caps:~Come in, $person. You look <sad>.~~$person.caps:~
      I am looking for $person2. Was $person2.he here?~~$elder.caps:~Yes. ^$person2.he went $place.to.

    = playMiddle
    $person.caps:~I had a dream last night. I saw @ $color $animal, and it spoke to me.~~$person2.caps:~
      What did the $animal say?~~$person.caps:~It said that <lesson>.~~$person2.caps:~<reply>
    $person.caps:~Look, there is @ $animal! It sits $animal.home.~~$person2.caps:~
      Be quiet, or it will run away.~~$person.caps:~They say that it $animal.skill.~~$person2.caps:~<reply>
    [a=3..9][b=2..9][c=a+b]$person.caps:~I have #a.w $food.many. How many have you?~~$person2.caps:~
      I have #b.w. Together we have #c.w $food.many.
    $person.caps:~<weatherNow>. Shall we wait?~~$person2.caps:~No, my friend. Let us go while there is light.

    = reply
    That is good to know. / I never heard that before. / I will think about that. / Then it must be true.

    = playMore
    $elder.caps:~What are you two doing here?~~$person.caps:~We are going $place2.to, if we may.~~
      $elder.caps:~Then go, but be home before night.
    $person.caps:~I am <sad>. The way is so long.~~$person2.caps:~Give me your hand. <lessonLine>
    $person.caps:~What is that in your hand?~~$person2.caps:~It is @ $look $toy2. I found it $place2.at.~~
      $person.caps:~Then we must give it back.~~$person2.caps:~
      You are right, $person. We will take it to $elder.

    = lessonLine
    Remember that <lesson>. / You know that <lesson>.

    = playEnd
    $person.caps:~Farewell, $person2. I will not forget this <hour>.~~$person2.caps:~Farewell, my friend.
    $person.caps:~Then let us go together.~~$person2.caps:~Yes, let us go.
    $person.caps:~You are a true friend, $person2.~~$person2.caps:~And so are you, $person.

    = sums
    <problem>
    <problem>
    <sum>~<sum>~<sum>~<sum>~<sum>
    <counting>~<counting>~<counting>

    = problem
    [a=2..20][b=2..20][c=a+b]$person has #a $food.many. $person2 gives $person.him #b more. How many
      $food.many does $person have now?~Answer: #a + #b = #c. $person has #c $food.many.
    [a=5..20][b=2..a-2][c=a-b]$person had #a $thing.many. ^$person.he lost #b of them $place.at. How many
      $thing.many are left?~Answer: #a - #b = #c. There are #c $thing.many left.
    [a=2..9][b=2..9][c=a*b]There are #a baskets. In each basket are #b $food.many. How many $food.many are
      there?~Answer: #a * #b = #c. There are #c $food.many.
    [a=3..15][b=2..9][c=a+b]$person is #a years old. How old will $person.he be in #b years?~
      Answer: #a + #b = #c. $person will be #c years old.
    [a=3..12][b=2..9][c=a+b]$person and $person2 pick $thing.many $place.at. $person picks #a and $person2
      picks #b. How many do they pick together?~Answer: #a + #b = #c. They pick #c $thing.many.

    = sum
    [a=1..20][b=1..20][c=a+b]#a + #b = #c
    [a=1..20][b=1..20][c=a+b]#a + #b = #c
    [a=5..30][b=1..a-1][c=a-b]#a - #b = #c
    [a=2..10][b=2..10][c=a*b]#a * #b = #c
    [a=2..9][b=2..9][c=a+b]#a.w and #b.w make #c.w
    [a=6..19][b=2..a-2][c=a-b]#a.w minus #b.w is #c.w

    = counting
    [a=1..30][b=a+1][c=b+1][d=c+1][e=d+1][f=e+1]Count on from #a: #a, #b, #c, #d, #e, #f
    [a=1..10][b=a+2][c=b+2][d=c+2][e=d+2][f=e+2]Count by two from #a: #a, #b, #c, #d, #e, #f
    [a=10..30][b=a-1][c=b-1][d=c-1][e=d-1][f=e-1]Count down from #a: #a, #b, #c, #d, #e, #f
    [g=1..8][a=g*5][b=a+5][c=b+5][d=c+5][e=d+5]Count by five from #a: #a, #b, #c, #d, #e
    [a=2..30][b=1..a-1]Which is more, #a or #b? #a is more than #b.
    [a=2..30][b=1..a-1]Which is less, #a or #b? #b is less than #a.

    = questions
    Question: $fact~Answer: $fact.answer~~Question: $fact2~Answer: $fact2.answer~~Question: $fact3~
      Answer: $fact3.answer
    Question: How do you spell $spelled?~Answer: $spelled.letters~~Question: How do you spell $spelled2?~
      Answer: $spelled2.letters
    Question: What is the opposite of $opposite?~Answer: The opposite of $opposite is $opposite.other.~~
      Question: What is the opposite of $opposite2?~Answer: The opposite of $opposite2 is $opposite2.other.
    Question: What is more than one $toy?~Answer: Many $toy.many.~~Question: What is more than one $animal?~
      Answer: Many $animal.many.
    Question: Who is $person?~Answer: $person is a <nature> $person.child who lives near $place.~~
      Question: What does $person like?~Answer: ^$person.he likes $food.many and $color flowers.

    = letter
    Dear $person,~~<letterOpening> <letterNews>~~<letterWish>~~Your friend,~$person2

    = letterOpening
    Thank you for the $food.many. They were very good. / I hope that you are well. We have not met for a long
      time.
    How are you? <weatherNow> here this <hour>.

    = letterNews
    On <day> we went $place.to, and there we saw @ <size> $animal. It $animal.skill.
    Do you remember my $color $toy? I lost it $place.at, but $elder found it.
    I have read a book about @ $animal that lived $animal.home. I think you would like it.

    = letterWish
    Please come and see us in <season>. / Write to me soon and tell me everything. / Say hello to your family.

    = recipe
    How to make a cake with $food.many~~[a=2..5][b=2..6][c=a+b]1. Take #a eggs and #b $food.many. That makes
      #c things.~2. Mix them with flour and milk.~3. Wait until <recipeSign>.~
      4. Share the cake with <person> and <person>.
    How to plant a tree~~1. Go $place.to and look for a sunny spot.~2. Dig a hole.~
      3. Put in @ $food and cover it with earth.~4. Give it water every <hour>. In <season> you will see the
      first leaf.
    How to paint @ $toy~~1. Take the $toy and clean it.~2. Paint it $color and let it dry.~
      3. Add @ $color2 line.~4. Show it to $elder.

    = recipeSign
    the top is golden / the kitchen smells sweet / the clock rings

    = verse
    The $animal sat $place.at,~<verseSecond>~<verseThird>~And then it went away.
    Good night to the $animal, good night to the $animal2,~Good night to $place and the sky.~
      Good night to the $color $toy on the floor,~Good night, little $person, good-bye.
    One for the $animal, two for the $animal2,~Three for the $toy on the hill,~
      Four for the $food.many that $person can eat,~And five for the one who sits still.

    = verseSecond
    And sang the whole long day, / And did not want to play, / And watched the clouds at play,

    = verseThird
    It found @ $color $toy there, / $person came with <food.many>, / The wind came from the bay,
    """
}
