"""What the demo speakers say: our own Korean sentences, short, about weather, food and trees, in NFC, without names.

Each makes lips close (ㅁ ㅂ ㅃ ㅍ), lips round (ㅗ ㅜ) and the mouth open (ㅏ): what one sees best of speech.
"""

import unicodedata

import numpy as np

SENTENCES = (
    "봄바람이 불어옵니다.",
    "밥을 먹고 산책합니다.",
    "비가 오면 창문을 닫아요.",
    "나무 밑에 풀이 많아요.",
    "오늘 아침은 맑고 포근해요.",
    "바다 위로 달이 뜹니다.",
    "빵과 우유를 사 왔어요.",
    "파란 모자가 예쁘네요.",
    "밤마다 별을 바라봅니다.",
    "포도와 배를 나눠 먹어요.",
    "봄이 오면 꽃이 핍니다.",
    "물을 많이 마셔 봐요.",
    "뿌리 깊은 나무를 봤어요.",
    "앞마당에 눈이 쌓였어요.",
    "감나무 아래서 만나요.",
    "문을 두드려 보았습니다.",
    "바람 부는 언덕에 올라요.",
    "보름달이 참 밝습니다.",
    "호박죽이 무척 맛있어요.",
    "빨간 풍선이 날아갑니다.",
    "우리 마을은 조용합니다.",
    "팥빵 두 봉지만 주세요.",
    "버스가 곧 출발합니다.",
    "아무 말도 하지 않았어요.",
    "무지개가 산 너머 보여요.",
    "푸른 바다가 보고 싶어요.",
    "모두 함께 춤을 춥시다.",
    "밤하늘에 별이 가득해요.",
    "보라색 우산을 폈습니다.",
    "배가 고파서 밥을 지었어요.",
    "가방에 필통을 넣어 둬요.",
    "음악을 들으며 놀아 봅시다.",
    "풀밭에서 공을 찹니다.",
    "마음이 한결 가벼워졌어요.",
    "부엌에서 콩나물을 볶아요.",
    "매미 소리가 크게 들려요.",
    "폭포 앞에서 사진을 찍어요.",
    "바구니에 밤을 담았습니다.",
    "입맛이 없으면 죽을 먹어요.",
    "구름 사이로 해가 나옵니다.",
    "엄마와 아빠가 웃으십니다.",
    "밀가루 반죽을 빚어 봅시다.",
    "잠시 후 막이 오릅니다.",
    "비둘기 몇 마리가 앉았어요.",
    "부지런히 밭을 맵니다.",
    "파도 소리가 참 좋습니다.",
    "목도리를 두르고 나갑니다.",
    "옷장을 말끔히 비웠습니다.",
    "붓으로 먹을 찍어 봅니다.",
    "한여름 밤은 무덥습니다.",
    "보리밥에 나물을 비벼요.",
    "멀리 뱃고동이 울립니다.",
    "바쁜 하루가 끝났습니다.",
    "두부 한 모만 주십시오.",
    "봉숭아 꽃물을 들였어요.",
    "종이배를 물에 띄웁니다.",
    "맨발로 모래밭을 밟아요.",
    "북소리가 둥둥 울립니다.",
    "할머니 품은 따뜻합니다.",
    "고구마를 불에 구웠어요.",
    "뽀얀 입김이 나옵니다.",
    "숲속에 옹달샘이 있어요.",
    "마을 앞 방앗간이 붐벼요.",
    "보고 싶은 마음뿐입니다.",
    "앞뒤 문을 모두 잠갔어요.",
    "칼로 무를 뚝뚝 썹니다.",
    "품속에 편지를 담아요.",
    "박물관에 가 보았습니까.",
    "흰 말 두 마리가 뜁니다.",
    "오빠는 피아노를 칩니다.",
    "어부가 그물을 던집니다.",
    "담벼락 밑에 봄이 왔어요.",
    "밤새 함박눈이 내렸어요.",
    "무릎을 굽혔다 폅니다.",
    "옆집 아이가 벌써 컸네요.",
    "냄비에 물을 가득 부어요.",
    "가을 단풍이 곱습니다.",
    "뺨에 봄바람이 스쳐요.",
    "코끼리가 물을 뿜습니다.",
    "아픈 곳은 없으십니까.",
    "우체국 앞에 모입시다.",
    "반딧불이 반짝거립니다.",
    "수박 한 통을 쪼갰어요.",
    "조금만 더 참아 봅시다.",
    "동백꽃이 붉게 핍니다.",
    "김밥을 말아 보았어요.",
    "밖은 춥고 안은 덥네요.",
    "보자기로 책을 쌌습니다.",
    "먼 곳에서 손님이 왔어요.",
    "푹 쉬고 나니 좋습니다.",
    "모닥불을 피워 봅시다.",
    "허수아비가 논을 봅니다.",
    "피리 부는 소리가 나요.",
    "벽에 그림을 붙였습니다.",
    "아름다운 밤입니다.",
    "물푸레나무를 심었어요.",
)

OPENINGS = (
    "오늘은",
    "아마도",
    "모처럼",
    "아무튼",
    "보통은",
    "그런데",
    "바로 지금",
    "어느 봄날",
    "무엇보다",
    "마침내",
    "봐요,",
    "맞아요,",
)

_JUNGSEONG = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_CHOSEONG = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_JONGSEONG = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"


def jamo(text: str) -> list[str]:
    """Take a text's syllables apart into letters, in order; everything that is not a Hangul syllable is left out."""
    letters = []
    for character in unicodedata.normalize("NFC", text):
        index = ord(character) - 0xAC00
        if 0 <= index < 11172:
            lead, rest = divmod(index, 588)
            vowel, tail = divmod(rest, 28)
            letters += [_CHOSEONG[lead], _JUNGSEONG[vowel], *_JONGSEONG[tail].strip()]
    return letters


def syllables(text: str) -> int:
    """Count Hangul syllables."""
    return sum(0xAC00 <= ord(character) < 0xAC00 + 11172 for character in unicodedata.normalize("NFC", text))


def draw(rng: np.random.Generator, most_syllables: float) -> str:
    """Draw sentences, with something before them where there is room, until no further one fits; at least one."""
    order = [SENTENCES[index] for index in rng.permutation(len(SENTENCES))]
    chosen: list[str] = []
    room = most_syllables
    for sentence, opening in zip(order, rng.choice(OPENINGS, len(order)), strict=True):
        for words in (f"{opening} {sentence}", sentence):
            if syllables(words) <= room:
                chosen.append(words)
                room -= syllables(words) + 2  # a breath between two
                break
    return " ".join(chosen) or min(SENTENCES, key=syllables)
