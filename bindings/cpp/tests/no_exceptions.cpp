// The same header without exceptions and RTTI: the forms with std::nothrow are complete. Linked with mixed.cpp, which has exceptions.
#include "test.hpp"

#if COS_SLICE_HPP_EXCEPTIONS
#error "to be compiled with -fno-exceptions"
#endif

std::uint64_t size_by_a_file_with_exceptions(const char *address);

namespace {

void an_upload_runs_and_fails_without_exceptions()
{
    cos_slice::client client{settings()};
    CHECK(client.usable().has_value());
    int calls = 0;
    auto upload = client.upload("plain", "/object").memory("abc").on_progress([&](const cos_slice::progress &) { return ++calls > 0; });
    const cos_slice::result<cos_slice::object> how = upload.run(std::nothrow);
    CHECK(how && how->size == 3 && calls >= 2);
    upload.on_progress([](const cos_slice::progress &) { return false; });
    CHECK_ENDED_WITH(upload.run(std::nothrow).error(), cos_slice::status::aborted_by_callback, "");
    CHECK_ENDED_WITH(client.upload("", "/a").memory("").run(std::nothrow).error(), cos_slice::status::invalid_argument, "bucket");
    CHECK(upload.thrown() == nullptr && client.thrown() == nullptr);
}

void an_upload_is_started_and_waited_for_without_exceptions()
{
    cos_slice::client client{settings(silent_server())};
    bool completed = false;
    auto upload = client.upload("plain", "/started").memory("abc").on_completion([&](cos_slice::result<cos_slice::object> how) {
        completed = !how && how.error().status() == cos_slice::status::cancelled;
    });
    CHECK(upload.start(std::nothrow).has_value());
    CHECK_ENDED_WITH(upload.wait_for(std::chrono::milliseconds(1), std::nothrow).error(), cos_slice::status::still_running, "");
    upload.cancel();
    CHECK_ENDED_WITH(upload.wait(std::nothrow).error(), cos_slice::status::cancelled, "");
    CHECK(completed);
}

void requests_and_signers_work_without_exceptions()
{
    cos_slice::client client{cos_slice::config{}.endpoint(endpoint).signer(app_id, [](const cos_slice::sign_request &request) {
        return cos_slice::sign(app_id, secret_id, secret_key, cos_slice::signature_scope::path, request, std::nothrow);
    })};
    auto operation = client.operation("plain", "/operation").memory("abc");
    CHECK(operation.upload(std::nothrow)->kind() == cos_slice::answer_kind::complete);
    CHECK(operation.stat(std::nothrow)->size() == 3);
    cos_slice::client refused{cos_slice::config{}.endpoint(endpoint).signer(
        app_id, [](const cos_slice::sign_request &) -> cos_slice::result<std::string> {
            return cos_slice::error(cos_slice::status::signer, "not today");
        })};
    CHECK_ENDED_WITH(refused.upload("plain", "/a").memory("abc").run(std::nothrow).error(), cos_slice::status::signer, "not today");
}

void reading_that_fails_says_so_by_a_number()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("plain", "/failing").read_at(1, [](std::uint64_t, void *, std::size_t) { return -9; });
    const cos_slice::error error = upload.run(std::nothrow).error();
    CHECK(error.status() == cos_slice::status::file_read && error.callback_value() == -9);
}

} // namespace

int main(int argc, char **argv)
{
    begin(argc, argv);
    an_upload_runs_and_fails_without_exceptions();
    an_upload_is_started_and_waited_for_without_exceptions();
    requests_and_signers_work_without_exceptions();
    reading_that_fails_says_so_by_a_number();
    CHECK(size_by_a_file_with_exceptions(endpoint) == 3);
}
