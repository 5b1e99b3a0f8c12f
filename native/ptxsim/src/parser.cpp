// Recursive descent over the PTX that compilers and inline assembly write.
#include "parser_entry.h"

namespace ptxsim {

namespace {

class Parser : public EntryParser {
  public:
    using EntryParser::EntryParser;

    void parse_module() {
        while (!lexer_.at_end()) {
            parse_top_level();
        }
        if (file_.version == 0 || file_.target == 0) {
            ptx_error(1, "the text has no .version and .target; it is not PTX");
        }
    }

  private:
    void parse_top_level() {
        const Token token = lexer_.take();
        if (token.text == ".version") {
            const std::string text(lexer_.take().text);
            const size_t dot = text.find('.');
            if (dot == std::string::npos) {
                ptx_error(token.line, ".version wants a number such as 7.0");
            }
            file_.version = (u32)(std::stoul(text.substr(0, dot)) * 10 + std::stoul(text.substr(dot + 1)));
        } else if (token.text == ".target") {
            const Token target = lexer_.expect_word();
            if (!target.text.starts_with("sm_")) {
                ptx_error(token.line, ".target wants sm_NN");
            }
            file_.target = (u32)std::stoul(std::string(target.text.substr(3)));
            while (lexer_.accept(",")) {
                lexer_.take();
            }
        } else if (token.text == ".address_size") {
            if (lexer_.expect_unsigned() != 64) {
                ptx_error(token.line, "only .address_size 64 is supported");
            }
        } else if (token.text == ".file") {
            parse_file_directive(token.line);
        } else if (token.text == ".section") {
            skip_braces();
        } else if (token.text == ".visible" || token.text == ".weak" || token.text == ".common") {
        } else if (token.text == ".extern") {
            extern_ = true;
        } else if (token.text == ".entry") {
            parse_entry();
            extern_ = false;
        } else if (token.text == ".func") {
            ptx_error(token.line, ".func: functions and calls are not supported; inline every helper into its kernel");
        } else if (token.text == ".global") {
            parse_variable(Variable::Space::Global, file_.variables);
        } else if (token.text == ".const") {
            parse_variable(Variable::Space::Const, file_.variables);
        } else if (token.text == ".shared") {
            parse_variable(Variable::Space::Shared, file_.variables);
        } else if (token.text == ".pragma") {
            lexer_.take();
            lexer_.expect(";");
        } else if (token.text == ".loc") {
            lexer_.skip_line(token.line);
        } else {
            ptx_error(token.line, "'" + std::string(token.text) + "' is not known at module level");
        }
    }

    void parse_file_directive(u32 line) {
        const u64 number = lexer_.expect_unsigned();
        const Token path = lexer_.take();
        if (number > 65535) {
            ptx_error(line, "a .file number over 65535");
        }
        if (file_.files.size() <= number) {
            file_.files.resize(number + 1);
        }
        file_.files[number] = std::string(path.text);
        lexer_.skip_line(line);
    }

    void skip_braces() {
        while (!lexer_.at_end() && !lexer_.at("{")) {
            lexer_.take();
        }
        u32 depth = 0;
        do {
            depth += lexer_.at("{");
            depth -= lexer_.at("}");
            lexer_.take();
        } while (!lexer_.at_end() && depth > 0);
    }
};

}  // namespace

std::unique_ptr<PtxFile> parse_ptx(std::string text) {
    auto file = std::make_unique<PtxFile>();
    file->text = std::move(text);
    Parser parser(*file);
    try {
        parser.parse_module();
    } catch (const std::logic_error&) {
        // std::stoul and its kin: digits that are none, or too many of them.
        ptx_error(parser.line(), "a number is malformed");
    }
    return file;
}

}  // namespace ptxsim
