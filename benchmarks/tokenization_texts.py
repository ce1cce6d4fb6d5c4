"""Texts in many scripts and of many kinds, for comparisons of tokenizers."""

from __future__ import annotations

from typing import Final

SCRIPTS: Final = {
    "Latin": "L’été, McDonald’s and façadeÉlan: ÜberGrößeÄnderung, łódźŻółw, İstanbulIrmak, ĐàNẵng, naïveÉcole.",
    "Greek": "ΗΑθήναΕίναι η πρωτεύουσαΤης Ελλάδας· ΚαλημέραΚόσμε! Ἀρχὴ ἥμισυ παντός.",
    "Cyrillic": "ПриветМир, какДела? МОСКВАСити и СанктПетербург; Ґудзик, Ђорђе, ЙодЁлка.",
    "Armenian": "ԲարևԱշխարհ, Երևանը Հայաստանի մայրաքաղաքն է։ ՀայոցԼեզու",
    "Georgian": "გამარჯობა მსოფლიო, თბილისი არის საქართველოს დედაქალაქი. ᲗᲑᲘᲚᲘᲡᲘ",
    "Hebrew": "שָׁלוֹם עוֹלָם, ירושלים היא עיר. מה שלומך?",
    "Arabic": "مَرْحَبًا بِالعَالَمِ، القاهرة هي عاصمة مصر؟ ١٢٣٤٥",
    "Persian": "سلام دنیا، می‌خواهم کتاب‌ها را بخوانم. ۱۲۳۴",
    "Syriac": "ܫܠܵܡܵܐ ܥܲܠܡܵܐ",
    "Thaana": "އައްސަލާމު ޢަލައިކުމް",
    "Devanagari": "नमस्ते दुनिया, दिल्ली भारत की राजधानी है। ज़िंदगी ख़ूबसूरत है १२३४",
    "Bengali": "ওহে বিশ্ব, ঢাকা বাংলাদেশের রাজধানী। ক্ষ্ম্য",
    "Gurmukhi": "ਸਤ ਸ੍ਰੀ ਅਕਾਲ ਦੁਨੀਆ",
    "Gujarati": "નમસ્તે દુનિયા, અમદાવાદ ગુજરાતમાં છે.",
    "Oriya": "ନମସ୍କାର ଦୁନିଆ, ଭୁବନେଶ୍ୱର ଓଡ଼ିଶାର ରାଜଧାନୀ",
    "Tamil": "வணக்கம் உலகம், சென்னை தமிழ்நாட்டின் தலைநகரம்.",
    "Telugu": "నమస్కారం ప్రపంచం, హైదరాబాద్ తెలంగాణ రాజధాని.",
    "Kannada": "ನಮಸ್ಕಾರ ಪ್ರಪಂಚ, ಬೆಂಗಳೂರು ಕರ್ನಾಟಕದ ರಾಜಧಾನಿ.",
    "Malayalam": "നമസ്കാരം ലോകം, തിരുവനന്തപുരം കേരളത്തിന്റെ തലസ്ഥാനം.",
    "Sinhala": "ආයුබෝවන් ලෝකය, කොළඹ ශ්‍රී ලංකාවේ නගරයකි.",
    "Thai": "สวัสดีชาวโลก กรุงเทพเป็นเมืองหลวงของประเทศไทย น้ำใจ",
    "Lao": "ສະບາຍດີຊາວໂລກ ວຽງຈັນເປັນນະຄອນຫຼວງ",
    "Tibetan": "བཀྲ་ཤིས་བདེ་ལེགས། ལྷ་ས་བོད་ཀྱི་རྒྱལ་ས་རེད།",
    "Burmese": "မင်္ဂလာပါ ကမ္ဘာ၊ ရန်ကုန်မြို့",
    "Khmer": "សួស្តីពិភពលោក ភ្នំពេញជារាជធានី",
    "Ethiopic": "ሰላም ልዑል ዓለም፣ አዲስ አበባ የኢትዮጵያ ዋና ከተማ ናት።",
    "Cherokee": "ᎣᏏᏲ ᎡᎶᎯ, ᏣᎳᎩ ꭰꮳꮃꭹ Ꭳꮟꮿ",
    "Canadian syllabics": "ᐊᐃᓐᖓᐃ ᓯᓚᕐᔪᐊᖅ ᐃᓄᒃᑎᑐᑦ",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ",
    "Han": "你好，世界。北京是中国的首都，人口约2189万。臺灣繁體字。㐀𠀀",
    "Japanese": "こんにちは世界。東京は日本の首都です。カタカナとｶﾀｶﾅ、ﾊﾟ々〆ー",
    "Hangul": "안녕하세요 세계, 서울은 대한민국의 수도입니다. ㅋㅋㅋ ᄒᆞᆫ글",
    "Yi": "ꆈꌠꉙ ꁱꂷ",
    "Tifinagh": "ⴰⵣⵓⵍ ⴰⵎⴰⴹⴰⵍ",
    "N'Ko": "ߒߞߏ ߞߊ߲߫ ߛߓߍ߫",
    "Javanese": "ꦲꦏ꧀ꦱꦫꦗꦮ",
    "Deseret": "𐐔𐐯𐑅𐐨𐑉𐐯𐐻 𐐀𐐩𐐁",
    "Gothic": "𐌲𐌿𐍄𐌹𐍃𐌺",
    "Cuneiform": "𒀭𒂗𒆤",
    "Hieroglyphs": "𓀀𓂀𓃠",
    "Vai": "ꕙꔤ ꕘꕟ",
    "Adlam": "𞤀𞤣𞤤𞤢𞤥 𞤆𞤵𞤤𞤢𞤪",
}
"""Words in 42 scripts, with camel case where the script has case."""

OTHERS: Final = {
    "contractions": "I'll he'S WE'RE they’ve it'd DON'T o'clock 'tis l'été x'ſ СТО'ЛЛ Мы'll éa'S \u212a'Ve",
    "digits": "1 12 123 1234 12345.678 ½ ²³ Ⅻ ① １２３４ ٣٤٥٦ ४५६७ 0x1F 1e-9 a1b22c333 éa1é22",
    "white space": "a b  c   d\te\t\tf \n g\r\nh\n\n\n i\u00a0j\u2003\u2003k\u3000l\u200bm\u2028n\u0085o\x0bp\x1cq  ",
    "lines": "é\n\n  ü\r\n\r\n\tñ   \n   \n\n§\n",
    "marks": "a\u0301b e\u0301E\u0301 o\u0302\u0323 \u0301x A\u030aB x\u20e3 क\u094d",
    "emoji": "👍🏽 👩‍👩‍👧‍👦 🇩🇪🇫🇷 ❤️‍🔥 ☎️ 1️⃣ 😀😀😀 ©®™ ∑∫√ → ⇒ ¯\\_(ツ)_/¯",
    "punctuation": "«Ça» „so“ “x” ‘y’ … — – · ¿Qué? ¡Ay! /usr/é//ü/ ,,, ;;; !!!\n ???é/\n",
    "mixed case": "aÉb AéB ÉaÉ ǅungla ǈubav ʰaB ªº straßeSTRASSE ΣίσυφοςΣ iİıI ﬁnFI",
    "code": 'def größe(ñ: int) -> str:\n    """Ünïcode."""\n\treturn f"{ñ!r}—{名前}"  # комментарийЗдесь\n',
    "json": '{"имяФайла": "Größe.txt", "値": [1, 22, 333], "x": null}\n',
    "identifiers": "getЗначениеПоИмени setΤιμή нДС iOSПриложение HTTPЗапрос ИмяXML_ключ éÉ_Éé",
    "markers": "é <|end|> ü <|user|>ñ <|im_start|>ж </s> <think>я</think>",
    "ASCII": "The quick brown foxJumps over 13 lazy dogs, isn't it?  for (i = 0; i < 10; ++i) {\n\tx[i] += 1;\n}\n",
}
"""Other kinds of text: each has characters that patterns treat in different ways."""
