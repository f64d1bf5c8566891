"""Ids of things that are there, for most of the requests that schemathesis makes up: with
made-up ids alone hardly any of them would get beyond a 404.

Loaded by schemathesis (SCHEMATHESIS_HOOKS); BASE and TOKEN say where the gateway is.
"""

import json
import os
import urllib.request
import zlib

import schemathesis

EVENTS = 8
WHEN = {
    "eventDate": "2098-01-01T19:00:00",
    "saleStartDate": "2020-01-01T00:00:00",
    "saleEndDate": "2097-01-01T00:00:00",
}


def call(method, path, token, body=None):
    request = urllib.request.Request(
        os.environ["BASE"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def stock():
    """Events with seats and with ticket types, a buyer, what he holds, has paid and opened."""
    admin = os.environ["TOKEN"]
    layout = call("GET", "/api/seats/layouts", admin)["layouts"][0]["id"]
    types = [{"name": "R", "price": 10000, "totalQuantity": 500}]
    mail = {"email": "contract@example.com", "password": "contract1", "name": "contract"}
    buyer = call("POST", "/api/auth/register", admin, mail)["user"]["id"]
    seated, ticketed, kinds, seats, reservations, orders = [], [], [], [], [], []
    for number in range(EVENTS):
        event = {"title": f"Contract {number}", "venue": "Hall", **WHEN}
        made = call("POST", "/api/admin/events", admin, {**event, "seatLayoutId": layout})
        seated.append(made["event"]["id"])
        made = call("POST", "/api/admin/events", admin, {**event, "ticketTypes": types})
        ticketed.append(made["event"]["id"])
        kinds.append(call("GET", f"/api/events/{ticketed[-1]}", admin)["ticketTypes"][0]["id"])
        free = call("GET", f"/api/seats/events/{seated[-1]}", admin)["seats"]
        seats.append([seat["id"] for seat in free])
        held = {"eventId": seated[-1], "seatIds": seats[-1][:2]}
        held = call("POST", "/api/seats/reserve", admin, held)["reservation"]["id"]
        reservations.append(held)
        if number % 2 == 0:
            paid = {"reservationId": held, "paymentMethod": "naver_pay"}
            call("POST", "/api/payments/process", admin, paid)
        line = [{"ticketTypeId": kinds[-1], "quantity": 1}]
        order = {"eventId": ticketed[-1], "items": line}
        made = call("POST", "/api/reservations", admin, order)["reservation"]["id"]
        reservations.append(made)
        opened = call("POST", "/api/payments/toss/request", admin, {"reservationId": made})
        orders.append(opened["orderId"])
    return {
        "seated": seated, "ticketed": ticketed, "kinds": kinds, "seats": seats, "buyer": [buyer],
        "reservations": reservations, "orders": orders, "layout": [layout],
    }


HERE = stock()


def chosen(value, names):
    """None for a quarter of the values, else one of the things; the same for the same value."""
    number = zlib.crc32(repr(value).encode())
    pool = [thing for name in names for thing in HERE[name]]
    return None if number % 4 == 0 else pool[number // 4 % len(pool)]


def named(path, name):
    """What a parameter of a path stands for."""
    if name in ("idOrEmail", "userId") or "/users/" in path:
        return ["buyer"]
    if name == "orderId":
        return ["orders"]
    if name == "ticketTypeId" or "/admin/tickets/" in path:
        return ["kinds"]
    if name in ("reservationId", "idOrNumber") or "reservations/" in path or "/orders/" in path:
        return ["reservations"]
    if name in ("eventId", "id") and "/news/" not in path:
        return ["seated", "ticketed"]
    return []


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    for name, value in (path_parameters or {}).items():
        names = named(context.operation.path, name)
        path_parameters[name] = (chosen(value, names) if names else None) or value
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    number = zlib.crc32(repr(body).encode())
    at = number // 2 % EVENTS
    if number % 4 == 0:
        return body
    if "seatIds" in body:
        first = number // 16 % (len(HERE["seats"][at]) - 2)
        body["seatIds"] = HERE["seats"][at][first : first + 1 + number % 2]
    if "items" in body:
        body["items"] = [{"ticketTypeId": HERE["kinds"][at], "quantity": 1 + number % 3}]
    if "eventId" in body:
        body["eventId"] = HERE["ticketed" if "items" in body else "seated"][at]
    if "eventDate" in body:
        body.update(WHEN)
    for field, name in (("userId", "buyer"), ("seatLayoutId", "layout")):
        if field in body:
            body[field] = HERE[name][0]
    if "count" in body:
        body["count"] = 1 + number % 3
        body.pop("section", None)
    if "sections" in body:
        body["sections"] = [{"name": "A", "rows": 2, "seatsPerRow": 5, "price": 1000}]
    if "reservationId" in body:
        body["reservationId"] = HERE["reservations"][number // 2 % len(HERE["reservations"])]
    if "paymentMethod" in body:
        body["paymentMethod"] = "naver_pay"
    return body
