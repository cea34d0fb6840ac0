"""Names, models and versions of the demo fleet. Each model is combined only with systems that it can run."""

# ruff: noqa: RUF001 - names keep the letters of their own scripts

from typing import NamedTuple

DOMAIN = "accuhive.example"


class Model(NamedTuple):
    """A device model. `oldest` is the index of the first system of its family that the model can run."""

    name: str
    identifier: str
    processor: str = ""
    cores: int = 0
    oldest: int = 0


class System(NamedTuple):
    version: str
    build: str


MACS = (
    Model("MacBook Air (M1, 2020)", "MacBookAir10,1", "Apple M1", 8),
    Model("MacBook Air (M2, 2022)", "Mac14,2", "Apple M2", 8),
    Model("MacBook Air (13-inch, M3, 2024)", "Mac15,12", "Apple M3", 8, 1),
    Model("MacBook Air (15-inch, M3, 2024)", "Mac15,13", "Apple M3", 8, 1),
    Model("MacBook Air (13-inch, M4, 2025)", "Mac16,12", "Apple M4", 10, 2),
    Model("MacBook Pro (14-inch, 2021)", "MacBookPro18,3", "Apple M1 Pro", 10),
    Model("MacBook Pro (16-inch, 2021)", "MacBookPro18,1", "Apple M1 Pro", 10),
    Model("MacBook Pro (14-inch, 2023)", "Mac14,9", "Apple M2 Pro", 12),
    Model("MacBook Pro (14-inch, Nov 2023)", "Mac15,6", "Apple M3 Pro", 12, 1),
    Model("MacBook Pro (16-inch, Nov 2023)", "Mac15,7", "Apple M3 Pro", 12, 1),
    Model("MacBook Pro (14-inch, 2024)", "Mac16,8", "Apple M4 Pro", 14, 2),
    Model("MacBook Pro (16-inch, 2024)", "Mac16,7", "Apple M4 Pro", 14, 2),
    Model("iMac (24-inch, M1, 2021)", "iMac21,1", "Apple M1", 8),
    Model("iMac (24-inch, 2023)", "Mac15,5", "Apple M3", 8, 1),
    Model("Mac mini (2023)", "Mac14,3", "Apple M2", 8),
    Model("Mac mini (2024)", "Mac16,10", "Apple M4", 10, 2),
    Model("Mac Studio (2023)", "Mac14,13", "Apple M2 Max", 12),
)
MACOS = (
    System("13.7.8", "22H730"),
    System("14.8.1", "23J30"),
    System("15.6.1", "24G90"),
    System("15.7.1", "24G231"),
    System("26.0.1", "25A362"),
    System("26.1", "25B78"),
)
IPHONES = (
    Model("iPhone 12", "iPhone13,2"),
    Model("iPhone 13", "iPhone14,5"),
    Model("iPhone SE (3rd generation)", "iPhone14,6"),
    Model("iPhone 14", "iPhone14,7"),
    Model("iPhone 14 Pro", "iPhone15,2"),
    Model("iPhone 15", "iPhone15,4"),
    Model("iPhone 15 Pro", "iPhone16,1"),
    Model("iPhone 16", "iPhone17,3"),
    Model("iPhone 16 Pro", "iPhone17,1"),
    Model("iPhone 16e", "iPhone17,5"),
)
IPADS = (
    Model("iPad (9th generation)", "iPad12,1"),
    Model("iPad (10th generation)", "iPad13,18"),
    Model("iPad mini (6th generation)", "iPad14,1"),
    Model("iPad Air (5th generation)", "iPad13,16"),
    Model("iPad Air 11-inch (M2)", "iPad14,8"),
    Model("iPad Pro (11-inch) (4th generation)", "iPad14,3"),
)
IOS = (System("18.6.2", "22G100"), System("18.7.1", "22H31"), System("26.0.1", "23A355"), System("26.1", "23B85"))
APPLE_TVS = (
    Model("Apple TV 4K (2nd generation)", "AppleTV11,1"),
    Model("Apple TV 4K (3rd generation)", "AppleTV14,1"),
)
TVOS = (System("18.6", "22M84"), System("26.0", "23J353"))
# `identifier` is the manufacturer here.
WINDOWS_PCS = (
    Model("Latitude 5440", "Dell Inc.", "x64"),
    Model("ThinkPad T14 Gen 4", "LENOVO", "x64"),
    Model("EliteBook 840 14 inch G10", "HP", "x64"),
    Model("Surface Laptop 7", "Microsoft Corporation", "ARM64", 0, 1),
)
WINDOWS = (System("10.0.22631", "5909"), System("10.0.26100", "6584"))
ANDROIDS = (
    Model("Pixel 7a", "Google"),
    Model("Pixel 8", "Google"),
    Model("Pixel 9", "Google"),
    Model("SM-S921B", "samsung"),
    Model("SM-A556B", "samsung"),
)
# `build` is the API level here.
ANDROID = (System("14", "34"), System("15", "35"), System("16", "36"))

APPLE_MAC_PREFIXES = ("F0:18:98", "A4:83:E7", "3C:22:FB", "14:7D:DA", "BC:D0:74", "88:66:5A")

# (department, blueprint of its Macs, tag of its devices, job titles)
DEPARTMENTS = (
    ("Engineering", "Engineering Macs", "Engineering", ("Software Engineer", "Engineering Manager", "QA Engineer")),
    ("Design", "Design Studio", "Design", ("Product Designer", "Brand Designer", "Motion Designer")),
    ("Sales", "Company Macs", "Field", ("Account Executive", "Sales Engineer", "Sales Manager")),
    ("Marketing", "Company Macs", "", ("Content Strategist", "Event Manager", "Marketing Manager")),
    ("Finance", "Company Macs", "", ("Accountant", "Controller", "Financial Analyst")),
    ("People", "Company Macs", "", ("Recruiter", "People Partner")),
    ("Customer Support", "Company Macs", "Remote", ("Support Specialist", "Support Lead")),
    ("IT", "Engineering Macs", "", ("Client Platform Engineer", "IT Administrator")),
    ("Leadership", "Executives", "VIP", ("Chief of Staff", "Vice President", "General Counsel")),
)
BLUEPRINTS = (
    "Company Macs",
    "Engineering Macs",
    "Design Studio",
    "Executives",
    "Mobile Devices",
    "Meeting Rooms & Kiosks",
    "Windows & Android",
)
ROOMS = ("Lisbon", "Kyōto", "Nairobi", "Montréal", "São Paulo", "Reykjavík", "Tallinn", "Wellington", "Oaxaca", "Busan")

# (given names, family names) of one culture. After "|" comes the spelling in an e-mail address, for other scripts.
PEOPLE = (
    (
        ("Olivia", "Noah", "Charlotte", "Elijah", "Grace", "Theodore"),
        ("Bennett", "Carter", "O’Neill", "Featherstonehaugh"),
    ),
    (("Ana", "José", "María del Carmen", "Íñigo", "Lucía"), ("Ruiz", "García Muñoz", "Fernández de la Vega y Ibáñez")),
    (("João", "Beatriz", "Caetano", "Conceição"), ("Gonçalves", "Araújo", "da Silva Magalhães")),
    (("Chloé", "Étienne", "Maëlys", "Jean-François"), ("Lefèvre", "Dubois", "de La Rochefoucauld")),
    (("Jürgen", "Lena", "Björn", "Annegret"), ("Müller", "Groß", "Schwarzenberger-Hohenfeld")),
    (("Łukasz", "Małgorzata", "Zofia", "Wojciech"), ("Wiśniewski", "Brzęczyszczykiewicz", "Żak")),
    (("Þórunn", "Sigríður", "Ævar"), ("Guðmundsdóttir", "Jónsson")),
    (("Søren", "Åsa", "Øystein", "Aino"), ("Sørensen", "Lindström", "Mäkelä")),
    (("Chiamaka", "Oluwaseun", "Ngozi", "Tunde"), ("Okonkwo", "Adébáyọ̀", "Onyekachukwu-Nwosu")),
    (("Wanjiru", "Baraka", "Amina"), ("Kamau", "Mwangi", "Odhiambo")),
    (("Priya", "Arjun", "Lakshmi", "Rohan"), ("Sharma", "Iyer", "Venkataramanan Subramaniam", "Kaur")),
    (("Minh Khai", "Thu Hương", "Đức"), ("Nguyễn", "Trần", "Đặng")),
    (("太郎|taro", "さくら|sakura", "健|ken"), ("山田|yamada", "佐藤|sato", "小鳥遊|takanashi")),
    (("伟|wei", "小芳|xiaofang", "静怡|jingyi"), ("王|wang", "欧阳|ouyang", "陈|chen")),
    (("민준|minjun", "서연|seoyeon"), ("김|kim", "박|park", "남궁|namgung")),
    (("Олена|olena", "Тарас|taras", "Дмитро|dmytro"), ("Шевченко|shevchenko", "Коваленко|kovalenko")),
    (("ليلى|layla", "عمر|omar", "فاطمة|fatima"), ("الحسيني|alhusseini", "حداد|haddad")),
    (("נועה|noa", "איתן|eitan"), ("כהן|cohen", "לוי|levi")),
    (("Kealoha", "Leilani"), ("Keihanaikukauakahihuliheekahaunaele",)),
)
# Letters that Unicode does not decompose into a Latin letter and a mark, and characters that an address leaves out.
LATIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ß": "ss", "þ": "th", "ð": "d", "æ": "ae", "’": "", " ": "", "-": ""}
)
