"""Fields: one table, and what is refused of a declaration."""

import pytest
from pydantic import ValidationError

from emulator.fields import (
    FIELDS,
    Field,
    dump_fields,
    find_fields,
    load_fields,
    summands,
    with_total,
)
from emulator.io import DataError

GAS = FIELDS["gas"]


def test_the_total_exists_only_where_the_masses_are_all_matter():
    all_matter = find_fields(["dm_hydro", "gas", "stars"])
    assert [field.name for field in with_total(all_matter)][-1] == "total"
    assert with_total(find_fields(["gas"])) == (GAS,)
    assert with_total(find_fields(["dm_hydro", "gas", "gas_temperature"]))[-1].name != "total"


def test_a_mean_is_no_part_of_the_total():
    fields = find_fields(["dm_hydro", "gas", "stars", "gas_temperature"])
    assert summands(fields) == ("dm_hydro", "gas", "stars")


def test_particles_that_two_fields_count_make_no_total():
    hot = GAS.model_copy(update={"name": "hot_gas"})
    assert summands([*find_fields(["dm_hydro", "gas", "stars"]), hot]) == ()


def test_all_matter_in_one_field_is_its_own_total():
    matter = Field(name="matter", label="matter", particles=("dark_matter", "gas", "stars"))
    assert summands([matter]) == ("matter",)


@pytest.mark.parametrize("transform", ["log", "log_ratio", "hurdle"])
def test_a_logarithm_of_signed_values_is_refused(transform):
    with pytest.raises(ValidationError, match="is signed; use asinh or identity"):
        Field(
            name="velocity", label="velocity", unit="km/s", particles=("gas",), mean_of="v",
            signed=True, transform=transform,
        )  # fmt: skip


def test_a_ratio_needs_a_share():
    with pytest.raises(ValidationError, match="which metals does not have"):
        Field(name="metals", label="metals", particles=("gas",), transform="log_ratio")


def test_a_mean_has_no_share():
    with pytest.raises(ValidationError, match="a mean is no share"):
        Field(name="t", label="t", particles=("gas",), mean_of="temperature", share="baryons")


@pytest.mark.parametrize("name", ["", "Gas", "../gas", "gas mass", "1gas"])
def test_names_that_are_no_names_are_refused(name):
    with pytest.raises(ValidationError, match="name"):
        Field(name=name, label="x", particles=("gas",))


def test_unknown_names_are_listed_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown fields \['gass'\]; there are dm_hydro, gas"):
        find_fields(["gass"])


def test_a_file_says_what_its_fields_are():
    metals = Field(name="metals", label="metals", particles=("gas",), transform="log")
    attrs = {"fields": dump_fields([GAS, metals])}
    assert load_fields(attrs, ["metals", "gas"], "f") == (metals, GAS)
    assert load_fields({}, ["gas", "total"], "f")[0] == GAS


@pytest.mark.parametrize("text", ["{", "[1]", '{"metals": 1}', '{"gas": {"name": "gas"}}', "{}"])
def test_declarations_that_are_none_name_the_file(text):
    with pytest.raises(DataError, match="f:fields: expected declarations of the channels metals"):
        load_fields({"fields": text}, ["metals"], "f")
