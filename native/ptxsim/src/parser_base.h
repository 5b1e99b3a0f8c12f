// What every part of the parser needs: tokens, numbers, types, and the declarations of variables.
#pragma once
#include "lexer.h"
#include "ptx.h"

namespace ptxsim {

/// The largest variable.
inline constexpr u64 kMostBytes = 256 << 20;

class ParserBase {
  public:
    explicit ParserBase(PtxFile& file) : file_(file), lexer_(file.text) {}

    u32 line() const { return lexer_.line(); }

  protected:
    /// Braces inside braces: the text may come from anywhere, the stack is finite.
    struct Depth {
        u32& depth;
        Depth(u32& depth, u32 line) : depth(depth) {
            if (++depth > 64) {
                ptx_error(line, "braces are nested too deeply");
            }
        }
        ~Depth() { depth--; }
    };

    u32 parse_alignment() {
        if (!lexer_.accept(".align")) {
            return 0;
        }
        const u32 line = lexer_.line();
        const u64 alignment = lexer_.expect_unsigned();
        if (!std::has_single_bit(alignment) || alignment > 1024) {
            ptx_error(line, "an alignment must be a power of two up to 1024");
        }
        return (u32)alignment;
    }

    Type parse_type_directive() {
        const Token token = lexer_.expect_word();
        Type type;
        if (!token.text.starts_with(".") || !parse_type(token.text.substr(1), &type)) {
            ptx_error(token.line, "'" + std::string(token.text) + "' is not a type");
        }
        return type;
    }

    void parse_variable(Variable::Space space, std::vector<Variable>& list) {
        Variable variable;
        variable.space = space;
        variable.line = lexer_.line();
        if (lexer_.accept(".attribute")) {
            lexer_.expect("(");
            while (!lexer_.accept(")")) {
                lexer_.take();
            }
        }
        variable.alignment = parse_alignment();
        u32 vector = 1;
        if (lexer_.accept(".v2")) {
            vector = 2;
        } else if (lexer_.accept(".v4")) {
            vector = 4;
        }
        const Type type = parse_type_directive();
        const u32 element = type_bytes(type) * vector;
        variable.alignment = variable.alignment == 0 ? element : variable.alignment;
        do {
            Variable one = variable;
            one.name = lexer_.expect_word().text;
            u64 count = 1;
            while (lexer_.accept("[")) {
                if (lexer_.accept("]")) {
                    one.dynamic = true;
                    count = 0;
                    continue;
                }
                count = std::min(count, kMostBytes) * std::min<u64>(lexer_.expect_unsigned(), kMostBytes + 1);
                lexer_.expect("]");
            }
            if (count > kMostBytes / element) {
                ptx_error(one.line, "variable " + std::string(one.name) + " is larger than 256 MiB");
            }
            one.bytes = count * element;
            if (lexer_.accept("=")) {
                parse_initializer(one, type);
            }
            if (one.dynamic && (space != Variable::Space::Shared || !extern_)) {
                ptx_error(one.line, "only .extern .shared arrays may have no size");
            }
            if (extern_ && !one.dynamic) {
                ptx_error(one.line, "external variable " + std::string(one.name) + " cannot be resolved");
            }
            list.push_back(std::move(one));
        } while (lexer_.accept(","));
        lexer_.expect(";");
        extern_ = false;
    }

    void parse_initializer(Variable& variable, Type type) {
        variable.initial.assign(variable.bytes, 0);
        u64 offset = 0;
        parse_initializer_level(variable, type, offset);
    }

    void parse_initializer_level(Variable& variable, Type type, u64& offset) {
        const Depth depth(depth_, lexer_.line());
        if (lexer_.accept("{")) {
            while (!lexer_.accept("}")) {
                parse_initializer_level(variable, type, offset);
                lexer_.accept(",");
            }
            return;
        }
        const u32 line = lexer_.line();
        const u32 bytes = type_bytes(type);
        if (offset + bytes > variable.bytes) {
            ptx_error(line, "more initial values than " + std::string(variable.name) + " has elements");
        }
        if (lexer_.peek().kind == Token::Kind::Word) {
            std::string_view symbol = lexer_.take().text;
            if (symbol == "generic") {
                lexer_.expect("(");
                symbol = lexer_.expect_word().text;
                lexer_.expect(")");
            }
            i64 addend = 0;
            if (lexer_.accept("+")) {
                addend = (i64)lexer_.expect_unsigned();
            }
            if (bytes != 8) {
                ptx_error(line, "an address needs a 64-bit element");
            }
            variable.relocations.push_back({offset, symbol, addend});
        } else {
            const Operand value = parse_number();
            u64 bits = value.bits;
            if (value.kind == Operand::Kind::Float64 && type == Type::F32) {
                bits = std::bit_cast<u32>((float)std::bit_cast<double>(bits));
            }
            std::memcpy(variable.initial.data() + offset, &bits, bytes);
        }
        offset += bytes;
    }

    Operand parse_number() {
        Operand operand;
        const bool negative = lexer_.accept("-");
        const Token token = lexer_.take();
        const std::string_view text = token.text;
        if (token.kind != Token::Kind::Number) {
            ptx_error(token.line, "expected a number, found '" + std::string(text) + "'");
        }
        if (text.starts_with("0f") || text.starts_with("0F")) {
            operand.kind = Operand::Kind::Float32;
            operand.bits = std::stoull(std::string(text.substr(2)), nullptr, 16) ^ (negative ? 0x80000000ull : 0);
        } else if (text.starts_with("0d") || text.starts_with("0D")) {
            operand.kind = Operand::Kind::Float64;
            operand.bits = std::stoull(std::string(text.substr(2)), nullptr, 16) ^ (negative ? 1ull << 63 : 0);
        } else if (text.find('.') != std::string_view::npos) {
            operand.kind = Operand::Kind::Float64;
            const double value = std::stod(std::string(text));
            operand.bits = std::bit_cast<u64>(negative ? -value : value);
        } else {
            operand.kind = Operand::Kind::Integer;
            operand.bits = parse_integer(text, token.line);
            operand.bits = negative ? 0 - operand.bits : operand.bits;
        }
        return operand;
    }

    PtxFile& file_;
    Lexer lexer_;
    bool extern_ = false;  // .extern stands before the declaration
    u32 depth_ = 0;
};

}  // namespace ptxsim
