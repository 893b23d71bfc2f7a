// A library that does not fit the header is refused before anything else is called of it. This program stands in for such a library.
#include "test.hpp"

static std::uint32_t interface = COS_SLICE_ABI_VERSION;
static std::uint32_t number = COS_SLICE_VERSION_NUMBER;

extern "C" {
/* The program's functions go before the library's. */
std::uint32_t cos_slice_abi_version(void) { return interface; }
std::uint32_t cos_slice_version_number(void) { return number; }
}

static void check_refused(const char *text)
{
    const auto error = thrown_by<cos_slice::error>([] { cos_slice::client client{settings()}; });
    CHECK_ENDED_WITH(error, cos_slice::status::invalid_argument, text);
    CHECK(has(error.message(), "was compiled for version"));
    cos_slice::sign_request request;
    request.bucket = "versions";
    request.path = "/a";
    CHECK_ENDED_WITH(cos_slice::sign(app_id, secret_id, secret_key, cos_slice::signature_scope::path, request, std::nothrow).error(),
                     cos_slice::status::invalid_argument, text);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    cos_slice::client fits{settings()};
    CHECK(fits.upload("versions", "/fits").memory("abc").run().size == 3);
    number = COS_SLICE_VERSION_NUMBER + 0x010000;
    CHECK(cos_slice::client{settings()}.usable().has_value());
    number = COS_SLICE_VERSION_NUMBER - 1;
    check_refused("is running");
    number = COS_SLICE_VERSION_NUMBER;
    interface = COS_SLICE_ABI_VERSION + 1;
    check_refused("binary interface 1");
}
