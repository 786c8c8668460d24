"""The peer: FastAPI with SQLAlchemy's ORM, as their documentation shows them, asynchronous.

Tables of its own, one for each kind of thing; an answer is checked and written by pydantic. A
command inserts a row and commits, and asks for no credential.
"""

import os
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

CONNECTIONS: Final = 32
SCHEMA: Final = "peer"


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    __table_args__ = {"schema": SCHEMA}
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Line(Base):
    __tablename__ = "invoice_line"
    __table_args__ = {"schema": SCHEMA}
    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey(f"{SCHEMA}.invoice.id"))
    description: Mapped[str]
    quantity: Mapped[Decimal]
    unit_price: Mapped[Decimal]
    amount: Mapped[Decimal]


class Invoice(Base):
    __tablename__ = "invoice"
    __table_args__ = {"schema": SCHEMA}
    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str]
    total: Mapped[Decimal]
    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customer.id"))
    customer: Mapped[Customer] = relationship()
    lines: Mapped[list[Line]] = relationship(order_by=Line.id)


class Draft(Base):
    __tablename__ = "draft"
    __table_args__ = {"schema": SCHEMA}
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_code: Mapped[str]
    customer_name: Mapped[str]
    description: Mapped[str]
    quantity: Mapped[Decimal]
    unit_price: Mapped[Decimal]
    tax_rate: Mapped[Decimal]


class Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ShownCustomer(Shown):
    name: str


class ShownLine(Shown):
    description: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


class ShownInvoice(Shown):
    number: str
    total: Decimal
    customer: ShownCustomer
    lines: list[ShownLine]


class NewDraft(BaseModel):
    customer_code: str
    customer_name: str
    description: str
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal


class MadeDraft(Shown):
    id: int


_engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1),
    pool_size=CONNECTIONS,
)
_sessions = async_sessionmaker(_engine, expire_on_commit=False)
app = FastAPI()


async def _session() -> AsyncIterator[AsyncSession]:
    async with _sessions() as session:
        yield session


@app.get("/invoices", response_model=list[ShownInvoice])
async def invoices(session: Annotated[AsyncSession, Depends(_session)], first: int) -> Any:  # noqa: ANN401 - FastAPI makes it what response_model says.
    found = await session.scalars(
        select(Invoice)
        .order_by(Invoice.id)
        .limit(first)
        .options(selectinload(Invoice.customer), selectinload(Invoice.lines))
    )
    return found.all()


@app.post("/drafts", response_model=MadeDraft, status_code=201)
async def draft(session: Annotated[AsyncSession, Depends(_session)], given: NewDraft) -> Any:  # noqa: ANN401 - as above.
    made = Draft(**given.model_dump())
    session.add(made)
    await session.commit()
    return made
