"""Names that are exchanged and drilled: those that animals and people often have, and made-up ones.

What is learned of a few names stays with them; that a name is brought back as it was told, whatever its pieces,
shows in many. None is among the `UNDRILLED`, for which `first_minute.py` asks, too.
"""

import random

__all__ = [
    "ENGLISH_NAMES",
    "ENGLISH_PLACES",
    "JAPANESE_NAMES",
    "JAPANESE_PEOPLE",
    "MORE_NAMES",
    "MORE_PEOPLE",
    "UNDRILLED",
    "made_up_names",
]

ENGLISH_NAMES = (
    "Max Luna Charlie Rocky Buddy Molly Lucy Jack Jake Sam Oscar Oliver Toby Teddy Rosie Holly Poppy Ruby Daisy Bella "
    "Bruno Milo Leo Coco Pepper Tiger Shadow Ginger Honey Lily Sophie Emma Anna Maria Sarah Kate Laura Lisa Helen "
    "Jane Alice Emily Amy Claire Diana Elizabeth Rachel Julia Jessica Hannah Martha Ruth Nina Eva Clara Peter Paul "
    "David Daniel Tom Ben Harry George Martin Simon Frank Thomas Adam Kevin Robert Henry Arthur Victor Walter Albert "
    "Oskar Alex Chris Nick Steve Mike Tony Eric Brian Scott Andrew Philip Louis Felix Hugo Bruce Diego Carlos Pedro "
    "Ahmed Ali"
)
ENGLISH_PLACES = (
    "London Paris Rome Berlin Madrid Vienna Dublin Oslo Lisbon Boston Chicago Denver Seattle Miami Houston Dallas "
    "Toronto Montreal Tokyo Sydney Melbourne Cairo Istanbul Athens Prague Warsaw Budapest Hamburg Munich Liverpool "
    "Manchester Brighton Leeds Bristol Edinburgh Glasgow Cork Galway Lublin Krakow Rotterdam Antwerp Bruges Seville "
    "Cordoba Bergamo Padua Pisa Marseille Nantes Lausanne Bern Innsbruck Bergen Kaunas Vilnius Tbilisi Baku Almaty "
    "Nairobi Accra Kumasi Durban Maputo Seoul Nagoya Singapore Wellington Adelaide Bogota Valparaiso Minnesota Chile "
    "Denmark Crete Malta Sardinia Senegal Mongolia Patagonia Turkey Tromso Kiruna Rijeka Pula Haarlem Drammen Kutaisi"
)
JAPANESE_NAMES = (
    "マックス チョコ モモ ココ ソラ レオ マロン ハナ コタロウ ミルク モカ ルナ クロ シロ タマ ミケ トラ ゴマ きなこ "
    "あずき 小麦 大福 ポチ ハチ レモン みかん さくら ひまわり ゆず くるみ ラッキー マル リン ベル メイ サクラ ナナ "
    "ミミ リク ユキ"
)
JAPANESE_PEOPLE = (
    "田中 鈴木 佐藤 高橋 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 山口 松本 井上 木村 林 清水 山崎 森 池田 橋本 石川 "
    "中島 前田 藤田 小川 岡田 村上 近藤 石井 遠藤 青木 坂本 陽菜 大翔 美咲 健太 翔太 葵 凛 蓮 結衣 拓海 さくら 七海 "
    "美月 悠斗 花子 太郎 健 誠 愛 彩 由美 恵子 直樹 和也 真由 優衣 亮太 千夏 沙織 楓 翼 樹 翔平 琴音 美緒 ひまり 結菜 "
    "隼人 奏太 遥"
)
MORE_NAMES = {
    "en": (
        "Bailey Buster Cody Duke Gizmo Harley Jasper Loki Murphy Oreo Rusty Sparky Thor Tucker Ziggy Ace Apollo "
        "Archie Baxter Bandit Barney Bear Benji Biscuit Blackie Bonnie Boomer Brandy Brownie Bubba Candy Casper Cleo "
        "Cooper Cookie Cricket Dakota Dexter Dixie Domino Dusty Elvis Fiona Fluffy Freckles Frankie Fudge Gus Hazel "
        "Hercules Hobbes Hunter Indigo Iris Jazz Jelly Josie Kiki Kipper Kitty Koko Lady Lassie Lola Lucky Lulu "
        "Maggie Mango Marley Mickey Midnight Millie Mimi Minnie Mittens Mocha Moose Muffin Nelly Nemo Noodle Olive "
        "Olly Panda Patch Peaches Peanut Pebbles Penny Percy Phoebe Piper Pixie Pluto Pongo Popcorn Prince Princess "
        "Pumpkin Rex Riley Robin Romeo Roxy Sadie Salem Sammy Scout Simba Skipper Smokey Smudge Snoopy Snowy Socks "
        "Sooty Sox Spike Spot Stella Sugar Sunny Suzy Taffy Tango Tara Theo Tilly Tinker Toffee Topsy Trixie Twix "
        "Tyson Waffles Whiskers Willow Wilma Woody Yogi Yoko Yuki Chewie Clover Coral Dolly Flora Fergus Gracie "
        "Hattie Ivy Jet Kobi Leila Mabel Monty Nico Odin Pippin Rolo Saffron Tess Una Vera Wally Basil Bramble Chip "
        "Dash Echo Fern Goldie"
    ),
    "ja": (
        "アンコ イチゴ ウメ エル オレオ カイ キナコ クッキー クルミ ケン コテツ サスケ サニー ジジ ジロー シナモン "
        "ジャック スズ セナ タロー チビ チャチャ チロ トム ナツ ニコ ノア バニラ ハル ピノ ヒメ プリン ベリー ボス "
        "ポポ マイロ マーブル ミカン ミント メロン モコ ヤマト ユズ ヨモギ ライム リリー ルーク ルル レイ レオン ロイ "
        "ロン ワサビ アズキ オハギ カカオ ギン クマ ゴン サブロー ショコラ ダイズ チーズ ツキ テン トト ナッツ バロン "
        "ピース フウ ブン ペコ ホープ マメ ミーコ メル モナカ ユウ ラン リキ レモン ロビン"
    ),
}
"""What is drilled beside the names that are exchanged, of animals."""
MORE_PEOPLE = {
    "en": (
        "Aaron Abigail Aisha Alan Amanda Amelia Andrea Angela Annie Ashley Audrey Barbara Beatrice Becky Beth Bill "
        "Bob Brenda Caroline Carol Cathy Charlotte Chloe Christina Cindy Colin Connor Craig Cynthia Dean Deborah "
        "Dennis Derek Donna Doris Dorothy Edward Eleanor Ella Erica Esther Ethan Evelyn Fatima Frances Fred Gary "
        "Gavin Gemma Gerald Gloria Gordon Grace Graham Greg Harriet Heather Heidi Howard Hugh Ian Irene Isaac Isabel "
        "Jacob James Janet Jason Jeff Jenny Jeremy Jill Jim Joan Joe John Jonathan Joseph Josh Judy Julie Karen Keith "
        "Kelly Ken Kim Kyle Lauren Lee Leon Linda Louise Luke Margaret Marie Mark Mary Matthew Megan Melissa Michael "
        "Michelle Mohammed Monica Nancy Natalie Nathan Neil Noah Nora Olivia Pam Patricia Patrick Pauline Phil Priya "
        "Ralph Raj Rebecca Richard Rita Roger Ron Rose Roy Russell Ryan Sally Samantha Sandra Sean Sharon Sheila "
        "Sonia Stacy Stanley Stephen Stuart Susan Tanya Ted Teresa Terry Tim Tina Todd Tracy Vincent Wendy William "
        "Yasmin Zoe"
    ),
    "ja": (
        "明美 一郎 和子 恵 圭介 浩二 早紀 三郎 静香 順子 次郎 進 聡 大輔 千尋 剛 哲也 敏子 智子 直美 信夫 典子 春香 "
        "久美子 秀樹 博 文子 麻衣 正人 真理 道子 稔 恵美 優子 洋介 良子 大野 岡本 小野 河野 菊地 後藤 斉藤 酒井 "
        "佐々木 柴田 島田 菅原 高木 竹内 武田 田村 千葉 中野 西村 野口 長谷川 原田 平野 福田 藤井 松田 丸山 三浦 宮崎 "
        "森田 山下 横山 和田 渡部"
    ),
}
"""What is drilled beside the names that are exchanged, of people."""
UNDRILLED = {
    "en": ("Zeus", "Nala", "Chester", "Misty", "Otis", "Winnie", "Rufus", "Sasha", "Boris", "Juno"),
    "ja": ("ジョン", "ムギ", "ラム", "ロッキー", "コロ", "ゴロー", "アトム", "フク", "ビビ", "テツ"),
}
"""What stands in no drill and is exchanged for none; the small talk has Otis, Juno and ムギ, corpora maybe more."""
_SOUNDS = {
    "en": (
        "b br ch d f g h j k l m n p r s sh t v w z",
        "a e i o u",
        " n l r s x y",
    ),
    "ja": (
        "ア イ ウ エ オ カ キ ク ケ コ サ シ ス セ ソ タ チ ツ テ ト ナ ニ ヌ ネ ノ ハ ヒ フ ヘ ホ マ ミ ム メ モ ヤ "
        "ユ ヨ ラ リ ル レ ロ ガ ギ グ ゲ ゴ ザ ジ ズ ゼ ゾ ダ デ ド バ ビ ブ ベ ボ パ ピ プ ペ ポ",
        "",
        " ン ー",
    ),
}


def made_up_names(language: str, number: int, random_state: random.Random) -> list[str]:
    """Returns names of two or three syllables that nobody has to have; each once, none of `UNDRILLED`.

    Args:
        language: `en` or `ja`.
        number: how many.
        random_state: what makes them.
    """
    first, middle, last = (sounds.split(" ") for sounds in _SOUNDS[language])
    made: dict[str, None] = {}
    while len(made) < number:
        syllables = [
            random_state.choice(first) + random_state.choice(middle)
            for _ in range(random_state.randint(2, 3))
        ]
        name = ("".join(syllables) + random_state.choice(last)).capitalize()
        if name not in UNDRILLED[language]:
            made[name] = None
    return list(made)
